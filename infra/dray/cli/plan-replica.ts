import { isTableStep } from 'dray/internal/messages/step-name.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { PlannedReplica, PlannedTable } from 'dray/internal/pipeline/inspect/plan-replica.ts'
import { commandFor, withUnit } from './environment.ts'
import { count, duration, isoMark, oneLine, plural } from './format.ts'
import { print } from './output.ts'
import { type Column, textTable } from './text-table.ts'
import { type CommonOptions, printJson } from './verb.ts'

/** Prints what the next run of a whole replica would do; false for a name that is none. */
export async function planWholeReplica(name: string, options: CommonOptions): Promise<boolean> {
  const { unitNamed } = await import('./pipelines.ts')
  if (isTableStep(name) || (await unitNamed(name)).kind !== 'replica') return false
  const { planReplica } = await import('dray/internal/pipeline/inspect/plan-replica.ts')
  const { refuseBroken } = await import('#dray-infra/doctor/refuse-broken.ts')
  await withUnit(options, name, async (unit, services) => {
    const replica = unit as Replica
    if (options.env === 'local') await refuseBroken([replica], null)
    const planned = await planReplica(replica, services)
    if (options.json) printJson('plan', document(replica, planned))
    else print(text(replica, planned, commandFor(options, `dray plan ${name}/<table>`)))
  })
  return true
}

function document({ name, from, into, tablesAtOnce }: Replica, planned: PlannedReplica) {
  const { tables, notes, holder, seconds, usDollars } = planned
  return {
    replica: name,
    source: from.name,
    target: into.name,
    tables: tables.map(tableDocument),
    totals: totalsOf(tables),
    lease_owner: holder,
    notes,
    on_aws: { tables_at_once: tablesAtOnce, seconds, us_dollars: usDollars },
  }
}

function tableDocument(planned: PlannedTable) {
  const { step, table, isView, rows, bytes, prepared, refused, lastRun, until, rowsToRead, needs, notes } = planned
  return {
    pipeline: step,
    table,
    is_view: isView,
    rows,
    bytes,
    refused,
    ...(prepared === null
      ? {}
      : {
          target: prepared.table.target,
          is_new: prepared.isNew,
          key: keyOf(planned),
          cursor: cursorOf(planned),
          why: prepared.table.why,
          load: prepared.table.load,
          deletes: prepared.table.deletes,
          last_run: isoMark(lastRun),
          reads_until: isoMark(until),
          rows_to_read: rowsToRead,
          on_aws: { seconds: needs.seconds, us_dollars: needs.runCost },
        }),
    notes: [...(prepared?.notes ?? []), ...notes],
  }
}

function totalsOf(tables: readonly PlannedTable[]) {
  const sum = (pick: (table: PlannedTable) => number | null) =>
    tables.reduce((total, table) => total + (pick(table) ?? 0), 0)
  return {
    tables: tables.length,
    refused: tables.filter(({ refused }) => refused !== null).length,
    new: tables.filter(({ prepared }) => prepared?.isNew).length,
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes }) => bytes),
    rows_to_read: sum(({ rowsToRead, refused }) => (refused === null ? rowsToRead : 0)),
  }
}

/** The columns of the source that tell rows apart. */
function keyOf({ prepared }: PlannedTable): readonly string[] {
  const { key = [], columns = [] } = prepared?.table ?? {}
  return key.map((name) => columns.find((column) => column.name === name)?.source.column ?? name)
}

function cursorOf({ prepared }: PlannedTable): string | null {
  const { cursor = null, columns = [] } = prepared?.table ?? {}
  return columns.find(({ name }) => name === cursor)?.source.column ?? null
}

function text(replica: Replica, planned: PlannedReplica, ofOne: string): string {
  const { tables, holder, seconds, usDollars } = planned
  const totals = totalsOf(tables)
  const taken = tables.filter(({ refused }) => refused === null)
  const refused = tables.filter((table) => table.refused !== null)
  const lines = [
    `${replica.name}: ${plural(taken.length, 'table')} of ${replica.from.name} into ${replica.into.name}, about ${plural(totals.rows_to_read, 'row')} to read${unknownText(taken)}.`,
    ...(totals.new === 0 ? [] : [`${plural(totals.new, 'table')} of ${replica.into.name} would be made.`]),
    ...(holder === null ? [] : [`The run ${holder} holds the lease now; a run would be refused.`]),
    `On AWS: about ${duration(seconds)} with ${plural(replica.tablesAtOnce, 'table')} at once, and ${usDollars.toFixed(4)} US dollars, as docs/scale.md reckons.`,
    ...refused.map(({ refused: reason }) => `refused: ${oneLine(reason ?? '')}`),
    ...planned.notes.map((note) => `note: ${oneLine(note)}`),
    ...taken.flatMap(({ step, prepared, notes }) =>
      [...(prepared?.notes ?? []), ...notes].map((note) => `note: ${step}: ${oneLine(note)}`),
    ),
  ]
  return `${lines.join('\n')}\n\n${textTable(columns, tables)}\n\nNext: \`${ofOne}\` for the partitions of one.\n`
}

function unknownText(tables: readonly PlannedTable[]): string {
  const unknown = tables.filter(({ rowsToRead }) => rowsToRead === null).length
  return unknown === 0 ? '' : `, and those of ${plural(unknown, 'table')} whose rows are not known`
}

const SIZES = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const

function sizeText(bytes: number | null): string {
  if (bytes === null) return '-'
  const power = Math.min(SIZES.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${power === 0 ? value : value.toFixed(1)} ${SIZES[power]}`
}

function readText({ prepared, lastRun, until }: PlannedTable): string {
  if (prepared === null) return '-'
  const { cursor, why } = prepared.table
  if (cursor === null) return `all rows: ${why}`
  return until === null ? `all rows, then ${why}` : `${why}, since ${lastRun}`
}

function writtenText({ prepared }: PlannedTable): string {
  if (prepared === null) return 'refused'
  const { load, target, deletes } = prepared.table
  const isNew = prepared.isNew ? ', new' : ''
  return `${load} ${target}${isNew}${deletes === 'ignore' ? '' : `, deletes ${deletes}`}`
}

const columns: Column<PlannedTable>[] = [
  { title: 'table', value: ({ table, isView }) => (isView ? `${table} (view)` : table) },
  { title: 'rows', align: 'right', value: ({ rows }) => (rows === null ? '-' : count(rows)) },
  { title: 'size', align: 'right', value: ({ bytes }) => sizeText(bytes) },
  { title: 'to read', align: 'right', value: ({ rowsToRead }) => (rowsToRead === null ? '-' : count(rowsToRead)) },
  { title: 'key', value: (table) => keyOf(table).join(', ') || '-' },
  { title: 'is written', value: writtenText },
  { title: 'on AWS', align: 'right', value: ({ needs, prepared }) => (prepared ? duration(needs.seconds) : '-') },
  { title: 'US $', align: 'right', value: ({ needs, prepared }) => (prepared ? needs.runCost.toFixed(4) : '-') },
  { title: 'is read', value: readText },
]
