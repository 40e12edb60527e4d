import { withDeadline } from '#dray/database/deadline.ts'
import { areOneDatabase } from '#dray/database/one-database.ts'
import { TerminalError } from '#dray/errors.ts'
import type { StepOutcome, TablesInput, TablesOutput } from '#dray/messages/stages.ts'
import { executionSuffix } from '#dray/messages/step-name.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { migrateTarget } from '#dray/pipeline/landing/migrate.ts'
import { changesNoted } from '#dray/pipeline/replica/changed-tables.ts'
import { type ChosenTable, chosenTables } from '#dray/pipeline/replica/chosen-tables.ts'
import { targetOf } from '#dray/pipeline/replica/target-table.ts'
import { writeJson } from '#dray/staging/documents.ts'
import { planPrefix } from '#dray/staging/keys.ts'
import { emptyStep } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { enterRun } from './enter-run.ts'
import { mapItems } from './map-items.ts'
import { recordEnd } from './outcome.ts'
import { refuseEndedRun } from './refuse-ended-run.ts'

/** As long as that of a pipeline. */
const LEASE_MS = 6 * 3600 * 1000
/** An item is about 120 bytes of a payload of 256 KiB, and about 12 events of a history of 25,000. */
const MOST_INLINE_TABLES = 1_000

/** What Tables has found, for Gather. */
export interface TablesPlan {
  readonly startedAt: number
  readonly steps: readonly string[]
}

/**
 * Finds out which tables a replica has now, the largest first. A run of all of them takes the replica's lease, so that
 * another one is refused as a whole; one of some tables goes by the leases of these. Throws `LeaseHeld`, and `Terminal`
 * where there is none to take.
 */
export function tables(replica: Replica, input: TablesInput, services: Services): Promise<TablesOutput> {
  return withDeadline(services.signal, () => findTables(replica, input, services))
}

async function findTables(replica: Replica, input: TablesInput, services: Services): Promise<TablesOutput> {
  const { state, staging, signal, now } = services
  const startedAt = now()
  const { run, tables: asked = null, except } = input
  await enterRun(input, services)
  if (asked === null) await state.acquireLease(replica.name, run.id, startedAt, startedAt + LEASE_MS)
  await refuseEndedRun(replica.name, run.id, services)
  const chosen = await chosenTables(replica)
  const wanted = chosenOf(replica, chosen.tables, { asked, except: new Set(except ?? []) })
  const { apart, clashes } = await apartInTarget(replica, wanted)
  await migrateTarget(replica.into)
  const notes = [...chosen.notes, ...(asked === null ? await changesNoted(replica, chosen, { state, clashes }) : [])]
  for (const note of notes) services.log.warn(note, { pipeline: replica.name })
  for (const [step, ending] of clashes) await recordEnd(run, step, ending, { state })
  await state.putStep({
    ...emptyStep(run.id, replica.name),
    startTime: startedAt,
    notes: notes.length === 0 ? null : notes,
    tables: { total: wanted.length, failed: clashes.size },
    ...(replica.owner === null ? {} : { owner: replica.owner }),
  })
  await refuseEndedRun(replica.name, run.id, services)
  const plan: TablesPlan = { startedAt, steps: wanted.map(({ step }) => step) }
  const all = apart.map(({ step }) => ({ step, suffix: executionSuffix(step) }))
  services.progress({ pipeline: replica.name, partition: null, phase: 'plan', rows: all.length })
  const place = { run: run.id, name: replica.name }
  const { inline, distributed, items } = await mapItems(all, MOST_INLINE_TABLES, place, services)
  return {
    plan: await writeJson(staging, planPrefix(run.id, replica.name), plan, { signal }),
    count: all.length,
    concurrency: replica.tablesAtOnce,
    tables: inline,
    distributed,
    items,
  }
}

function chosenOf(
  { name, from, tables: patterns }: Replica,
  chosen: readonly ChosenTable[],
  { asked, except }: { readonly asked: readonly string[] | null; readonly except: ReadonlySet<string> },
): readonly ChosenTable[] {
  const own = asked?.filter((step) => step.startsWith(`${name}/`)) ?? null
  const unknown = own?.filter((step) => !chosen.some((table) => table.step === step)) ?? []
  if (unknown.length > 0) {
    throw new TerminalError(
      `${name}: ${unknown.join(', ')} is no table that it takes over, so nothing was read; \`npx dray plan ${name}\` lists those that it has`,
    )
  }
  if (own !== null && own.length > 0) return chosen.filter(({ step }) => own.includes(step))
  if (chosen.length > 0) return chosen.filter(({ step }) => !except.has(step))
  throw new TerminalError(
    `${name}: ${from.name} has no table that tables: ${JSON.stringify(patterns)} chooses, or its user may not see any, so nothing was read; grant them to the user, or look at the patterns (a table of another schema is chosen by 'schema.*')`,
  )
}

/**
 * Two tables of the source that would become one are both left out: neither may overwrite the other's rows. So is one
 * that would be copied onto itself, and one that `name` gives no name.
 */
export async function apartInTarget(replica: Replica, wanted: readonly ChosenTable[]) {
  const { alter } = await replica.into.adapter()
  const alike = (name: string) => (alter.ignoresCase ? name.toLowerCase() : name)
  const clashes = new Map<string, StepOutcome>()
  const byTarget = Map.groupBy(wanted, ({ table, step }) => {
    try {
      return alike(targetOf(replica, table))
    } catch (error) {
      clashes.set(step, { status: 'failed', reason: `${(error as Error).name}: ${(error as Error).message}` })
      return null
    }
  })
  const isWithin = await areOneDatabase(replica.from, replica.into)
  for (const [target, group] of byTarget) {
    if (target === null) continue
    const itself = isWithin ? group.find(({ table }) => alike(table) === target) : undefined
    if (itself !== undefined) clashes.set(itself.step, { status: 'failed', reason: ontoItself(replica, itself) })
    if (group.length === 1) continue
    const names = group.map(({ table }) => table).join(' and ')
    const reason = `Terminal: ${names} would both become ${replica.into.name}.${target}, so neither was read; give one another name (name, or overrides: { '${group[1]?.table}': { name: … } }), or leave it out`
    for (const { step } of group) clashes.set(step, { status: 'failed', reason })
  }
  return { apart: wanted.filter(({ step }) => !clashes.has(step)), clashes }
}

function ontoItself({ from, into }: Replica, { table }: ChosenTable): string {
  const one =
    from.name === into.name ? `${from.name} is source and target` : `${from.name} and ${into.name} are one database`
  return `Terminal: ${one}, and ${table} would be copied onto itself, so it was not touched; give its copy another name (name: (table) => \`raw_\${table.name}\`), or bind ${into.name} to another database`
}
