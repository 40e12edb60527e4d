import type { TableDefinition } from '#dray/active-record/table-definition.ts'
import type { OpenBlocks } from '#dray/block/block.ts'
import type { Connection } from '#dray/database/adapter.ts'
import type { Database } from '#dray/database/database.ts'
import { ConfigurationError, DataQualityError, TerminalError } from '#dray/errors.ts'
import type { CheckedRows, CheckResult } from '#dray/messages/check-result.ts'
import type { Check } from '#dray/pipeline/declare/checks.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { answerOf, type Found } from './answers.ts'
import { type CheckedTable, rowsOfKeys, wholeTable } from './checked-table.ts'

/** The table that checks are about, and what they are asked with. */
export interface Subject {
  readonly target: { readonly database: Database; readonly definition: TableDefinition }
  readonly scopeOf: (check: Check) => CheckedRows
  /** The keys of the rows of the run; for checks of these alone. */
  readonly loaded?: { readonly by: readonly string[]; readonly open: OpenBlocks }
  /** What is wrong with the age of the source's rows. */
  readonly staleness?: (check: Check) => Promise<string | null>
  /** How many rows the table had after the run before; null where that is not known. */
  readonly before: number | null
  readonly signal: AbortSignal
}

/** What checks have come to, and the rows that were counted on the way. */
export interface Answers {
  readonly results: readonly CheckResult[]
  readonly counted: number | null
}

/**
 * Asks each check, in the order in which they are declared. One that the database does not take is among the results;
 * a fault that may pass is thrown. Outside of a transaction each reads in one that writes nothing.
 */
export async function askChecks(checks: readonly Check[], subject: Subject): Promise<Answers> {
  const results = new Map<Check, CheckResult>()
  let counted: number | null = null
  const settle = async (check: Check, ask: () => Promise<Found>) => {
    const began = performance.now()
    const found = await ask().catch(refusal)
    counted = found.counted ?? counted
    results.set(check, resultOf(check, subject, found, (performance.now() - began) / 1000))
  }
  const ofRun = checks.filter((check) => subject.scopeOf(check) === 'run')
  for (const check of checks) {
    const scope = subject.scopeOf(check)
    if (scope === 'source') await settle(check, () => fresh(check, subject))
    if (scope === 'table') await settle(check, () => askTable(check, subject))
  }
  if (ofRun.length > 0) await askRows(ofRun, subject, settle)
  return { results: checks.flatMap((check) => results.get(check) ?? []), counted }
}

async function fresh(check: Check, { staleness }: Subject): Promise<Found> {
  return { failing: null, keys: [], said: (await staleness?.(check)) ?? null }
}

function askTable(check: Check, subject: Subject): Promise<Found> {
  const { database, definition } = subject.target
  return leavingNothing(database, () =>
    database.withConnection(async (connection, adapter) =>
      answerOf(check, await wholeTable(definition, connection, adapter), connection, subject.before, subject),
    ),
  )
}

/** Holds the keys of the run once for all checks of its rows. */
async function askRows(
  checks: readonly Check[],
  subject: Subject,
  settle: (check: Check, ask: () => Promise<Found>) => Promise<void>,
): Promise<void> {
  const { database, definition } = subject.target
  const { by = [], open = () => [] } = subject.loaded ?? {}
  const hold = async (connection: Connection, whole: CheckedTable) =>
    rowsOfKeys(whole, columnsOf(definition, by), open, connection, subject)
  await database.transaction(async () => {
    const { table, held } = await database.withConnection(async (connection, adapter) =>
      hold(connection, await wholeTable(definition, connection, adapter)),
    )
    for (const check of checks) {
      await settle(check, () =>
        database.transaction(() =>
          database.withConnection((connection) => answerOf(check, table, connection, subject.before, subject)),
        ),
      )
    }
    await held.release()
  })
}

/** Carries what was found out of a transaction that is rolled back. */
class Undone<T> extends Error {
  readonly found: T

  constructor(found: T) {
    super()
    this.found = found
  }
}

/** What a SELECT writes by a function that it calls is undone. */
async function leavingNothing<T>(database: Database, work: () => Promise<T>): Promise<T> {
  if (!database.inTransaction) return database.transaction(work, 'snapshot')
  try {
    return await database.transaction(async () => {
      throw new Undone(await work())
    })
  } catch (error) {
    if (error instanceof Undone) return error.found as T
    throw error
  }
}

function refusal(error: unknown): Found & { readonly isRefused: true } {
  const isOfStatement =
    error instanceof TerminalError || error instanceof DataQualityError || error instanceof ConfigurationError
  if (!isOfStatement) throw error
  return { failing: null, keys: [], said: `it could not run: ${error.message}`, isRefused: true }
}

function resultOf(
  check: Check,
  { target, scopeOf }: Subject,
  { failing, keys, said, ...more }: Found & { readonly isRefused?: true },
  seconds: number,
): CheckResult {
  const { name, severity } = check
  const { database, table } = target.definition
  const fault = severity === 'warn' ? 'warned' : 'failed'
  const status = more.isRefused ? 'not run' : said === null ? 'passed' : fault
  return { name, table: `${database}.${table}`, severity, status, scope: scopeOf(check), failing, keys, said, seconds }
}
