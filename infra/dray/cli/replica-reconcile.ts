import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { Reconciliation } from 'dray/internal/pipeline/inspect/reconciliation.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { type CountedRows, countedRows, countedText, isCountedAlone } from './counted-rows.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { count, oneLine, plural } from './format.ts'
import { print, say } from './output.ts'
import { type Compared, differencesIn, document } from './reconciled.ts'
import { type Column, textTable } from './text-table.ts'
import { printJson } from './verb.ts'

/** A table of a replica beside its copy. */
interface ComparedTable {
  readonly step: string
  readonly compared: Compared | null
  /** Of a table without a key, whose rows are counted alone. */
  readonly counted: CountedRows | null
  /** Why it could not be compared; null where it was. */
  readonly fault: string | null
}

/** What compares one pipeline, and mends what differs where that is asked for. */
type Compare = (pipeline: Pipeline) => Promise<Compared>

/** Compares all tables of a replica, one after another: each comparison uses several connections. */
export async function reconcileReplica(
  replica: Replica,
  services: Services,
  {
    compare,
    json,
    pasted,
  }: { readonly compare: Compare; readonly json: boolean; readonly pasted: (command: string) => string },
): Promise<ExitCode> {
  const { stepsOfTables } = await import('dray/internal/pipeline/inspect/replica-tables.ts')
  const steps = await stepsOfTables(replica, null)
  const tables: ComparedTable[] = []
  for (const step of steps) {
    services.signal.throwIfAborted()
    if (steps.length > 1) say(`${step}\n`)
    tables.push(await comparedTable(replica, step, services, compare))
  }
  if (json) printJson('reconcile', replicaDocument(replica, tables))
  else print(text(replica, tables, pasted))
  return tables.every(isEqual) ? exitCodes.ok : exitCodes.failed
}

/** The pipeline of a table that has a copy. Throws `Configuration` where there is none yet. */
export async function copiedTable(replica: Replica, step: string): Promise<Pipeline> {
  const { livePipeline } = await import('dray/internal/pipeline/replica/prepared-table.ts')
  const { pipeline, table, isNew } = await livePipeline(replica, step)
  if (!isNew) return pipeline
  throw new ConfigurationError(
    `${step}: ${replica.into.name} has no table ${table.target} yet, so there is nothing to compare; \`npx dray run ${step}\` makes it`,
  )
}

async function comparedTable(
  replica: Replica,
  step: string,
  { signal }: Services,
  compare: Compare,
): Promise<ComparedTable> {
  const none = { step, compared: null, counted: null, fault: null }
  try {
    const pipeline = await copiedTable(replica, step)
    if (isCountedAlone(pipeline)) return { ...none, counted: await countedRows(pipeline) }
    return { ...none, compared: await compare(pipeline) }
  } catch (error) {
    if (signal.aborted) throw error
    return { ...none, fault: (error as Error).message.replace(`${step}: `, '') }
  }
}

function isEqual({ compared, counted }: ComparedTable): boolean {
  if (counted !== null) return counted.source === counted.target
  return compared !== null && differencesIn(compared.left) === 0
}

function totalsOf(tables: readonly ComparedTable[]) {
  const sum = (pick: (found: Reconciliation) => number) =>
    tables.reduce((total, { compared }) => total + (compared === null ? 0 : pick(compared.left)), 0)
  return {
    tables: tables.length,
    equal: tables.filter(isEqual).length,
    counted_alone: tables.filter(({ counted }) => counted !== null).length,
    not_compared: tables.filter(({ fault }) => fault !== null).length,
    source_rows: sum(({ source }) => source.rows),
    target_rows: sum(({ target }) => target.rows),
    missing: sum(({ counts }) => counts.missing),
    extra: sum(({ counts }) => counts.extra),
    different: sum(({ counts }) => counts.different),
  }
}

function replicaDocument({ name }: Replica, tables: readonly ComparedTable[]) {
  return {
    replica: name,
    totals: totalsOf(tables),
    tables: tables.map(({ step, compared, counted, fault }) =>
      compared === null
        ? { pipeline: step, ...(counted === null ? { fault } : { counted }) }
        : document(compared.found, compared.reloaded, compared.left),
    ),
  }
}

function text(
  { name, from, into }: Replica,
  tables: readonly ComparedTable[],
  pasted: (command: string) => string,
): string {
  const totals = totalsOf(tables)
  const others = tables.filter(({ compared }) => compared !== null && differencesIn(compared.found) > 0)
  const uneven = tables.filter((one) => one.counted !== null && !isEqual(one))
  const faults = tables.filter(({ fault }) => fault !== null)
  const isLeft = totals.missing + totals.extra + totals.different > 0
  const lines = [
    `${name}: ${plural(totals.tables, 'table')}, ${plural(totals.source_rows, 'row')} in ${from.name}, ${plural(totals.target_rows, 'row')} in ${into.name}; ${totals.equal} of them equal.`,
    ...(others.length === 0 ? [] : ['', textTable(columns, others), '']),
    ...uneven.flatMap(({ step, counted }) => (counted === null ? [] : [`  ${step}: ${countedText(counted)}`])),
    ...faults.map(({ step, fault }) => `  ${step} was not compared: ${oneLine(fault ?? '')}`),
    ...(isLeft
      ? [
          `${totals.missing} missing, ${totals.extra} extra, ${totals.different} different. Next: \`${pasted(`dray reconcile ${name} --fix`)}\` loads what is missing or differs again; \`${pasted(`dray reconcile ${others[0]?.step}`)}\` lists the rows of one.`,
        ]
      : faults.length + uneven.length === 0
        ? ['No differences.']
        : []),
  ]
  return `${lines.join('\n')}\n`
}

const found = (pick: (found: Reconciliation) => number) => (table: ComparedTable) =>
  count(table.compared === null ? 0 : pick(table.compared.found))

const columns: Column<ComparedTable>[] = [
  { title: 'table', value: ({ step }) => step },
  { title: 'source', align: 'right', value: found(({ source }) => source.rows) },
  { title: 'target', align: 'right', value: found(({ target }) => target.rows) },
  { title: 'missing', align: 'right', value: found(({ counts }) => counts.missing) },
  { title: 'extra', align: 'right', value: found(({ counts }) => counts.extra) },
  { title: 'different', align: 'right', value: found(({ counts }) => counts.different) },
  {
    title: 'loaded again',
    align: 'right',
    value: ({ compared }) => (compared?.reloaded ? count(compared.reloaded.written) : '-'),
  },
]
