import { type FieldType, typeOf } from '#dray/active-record/field-type.ts'
import { applyPlans } from '#dray/active-record/schema-apply.ts'
import type { Adapter, LiveColumn, LiveTable } from '#dray/database/adapter.ts'
import type { Alteration, Change, ColumnChange } from '#dray/database/alterations.ts'
import { asking } from '#dray/database/reading.ts'
import { TransientError } from '#dray/errors.ts'
import { ADDED, FOLLOWS, GONE, NOT_ADDED } from '#dray/messages/column-notes.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import { wantedColumn } from '#dray/pipeline/plan/held-types.ts'
import { type ReplicatedTable, TIMESTAMP } from '#dray/pipeline/rows/replicated-table.ts'
import type { DescribedTable, MissingColumn } from './described-table.ts'
import { followedType } from './followed-type.ts'
import { candidatesIn } from './read-table.ts'

/** What separates a table of the target from the source's, beside columns that it has not. */
export interface TargetChanges {
  /** Those that a run makes: they leave the rows as they are. */
  readonly safe: readonly Alteration[]
  /** Sentences on the others, and on columns that the source has no more. */
  readonly notes: readonly string[]
}

/** Finds out how a table of the target that is there is to follow the source's. Changes nothing. */
export async function targetChanges(
  replica: Replica,
  { table, read, missing, copied }: Pick<DescribedTable, 'table' | 'read' | 'missing' | 'copied'>,
  live: LiveTable,
  pipeline: Pipeline,
): Promise<TargetChanges> {
  const adapter = await replica.into.adapter()
  const wider = table.columns.flatMap((column) => {
    const source = read.live.columns.find(({ name }) => name === column.source.column)
    const target = live.columns.find(({ name }) => name === column.target.column)
    if (source === undefined || target === undefined || column.mask !== null) return []
    const isOfKey = table.key.includes(column.name) || live.primaryKey.includes(target.name)
    const { types, isMeasured } = candidatesIn(read, source)
    const [type] = types
    const isSaid = types.length === 1 && type !== undefined && !isMeasured
    const wide = isSaid ? followedType(type, copied.get(source.name)?.type, target, adapter) : null
    const fits = wide !== null && (!isOfKey || adapter.schema.keyFault([wide]) === null)
    return changed(target, fits ? wide : null, source.nullable && !isOfKey, adapter)
  })
  const known = new Set([
    ...table.columns.map(({ target }) => target.column),
    ...table.masked.map(({ column }) => column),
    ...(table.mark === null ? [] : [table.mark.column]),
  ])
  const dropped = live.columns.filter(
    ({ name, isComputed, isNumbered }) => !known.has(name) && !isComputed && !isNumbered,
  )
  const gone = dropped.filter(({ name }) => !read.live.columns.some((column) => column.name === name))
  const freed = gone
    .filter((column) => !column.nullable && !column.hasDefault)
    .flatMap((column) => changed(column, null, true, adapter))
  const { mark } = table
  const adds: Change[] = missing.map(({ target }) => {
    return { kind: 'add', column: wantedColumn(target.column, target, adapter), nullable: true }
  })
  const marks: Change[] =
    mark === null || live.columns.some(({ name }) => name === mark.column)
      ? []
      : [{ kind: 'add', column: wantedColumn(mark.column, TIMESTAMP, adapter), nullable: true }]
  const changes = [...adds, ...marks, ...wider, ...freed]
  const alterations = await replica.into.withConnection((connection) =>
    changes.length === 0 ? Promise.resolve([]) : adapter.alter.alterationsOf(asking(connection), table.target, changes),
  )
  // No row without a value could come in before a column may be NULL, so that the table may be written anew for it.
  const isSafe = ({ mark, refused }: Alteration, place: number) => {
    const change = changes[place]
    const isFreed = change?.kind === 'change' && change.nullable
    return refused === null && (mark === 'safe' || (mark === 'rewrites' && isFreed))
  }
  return {
    safe: alterations.filter(isSafe),
    notes: [
      ...alterations.filter((one, place) => !isSafe(one, place)).map((one) => leftNote(replica, table, one, missing)),
      ...(gone.length === 0 ? [] : [goneNote(replica, table, gone, pipeline)]),
      ...(table.load === 'replace' && live.primaryKey.length > 0 ? [keyNote(replica, table, live)] : []),
    ],
  }
}

/** A column whose type the source's has outgrown, or that has to bear NULL now. */
function changed(live: LiveColumn, type: FieldType | null, nullable: boolean, adapter: Adapter): ColumnChange[] {
  const wanted = { ...wantedColumn(live.name, type ?? typeOf('text'), adapter), nullable: nullable || live.nullable }
  const change = { kind: 'change', liveType: live.type, startsAtZero: false, isGenerated: false } as const
  const isOther = type !== null && !adapter.alter.isType(wanted, live.type)
  return [
    ...(nullable && !live.nullable
      ? [{ ...change, column: { ...wanted, type: live.type }, type: false, nullable: true }]
      : []),
    ...(isOther ? [{ ...change, column: wanted, type: true, nullable: false }] : []),
  ]
}

function leftNote(
  { from, into }: Replica,
  { source, target }: ReplicatedTable,
  { columns, what, sql, mark, refused }: Alteration,
  missing: readonly MissingColumn[],
): string {
  const why = refused ?? (mark === 'safe' ? '' : 'the database would write the whole table anew, or could cut values')
  const added = missing.find((one) => columns.includes(one.target.column))
  if (added !== undefined) {
    return `the column ${added.source} of ${from.name}.${source} ${NOT_ADDED} to ${into.name}.${target}, so its values are not loaded: ${why}. Run \`${sql.join('; ')}\` on ${into.name} as a user who may, and the next run loads it`
  }
  return `${into.name}.${target} does not follow its source by itself where a statement ${what}, since ${why}; rows that do not fit go to the quarantine. Run \`${sql.join('; ')}\` on ${into.name} as a user who may`
}

function keyNote({ from, into }: Replica, { source, target }: ReplicatedTable, { primaryKey }: LiveTable): string {
  return `${into.name}.${target} has the primary key ${primaryKey.join(', ')}, and ${from.name}.${source} has no key (any more): rows that repeat it, or have NULL there, go to the quarantine. Drop the table of ${into.name}, and the next run makes it without that key and loads all rows`
}

function goneNote(
  { from, into }: Replica,
  { source, target }: ReplicatedTable,
  gone: readonly LiveColumn[],
  { load }: Pipeline,
) {
  const names = gone.map(({ name }) => name).join(', ')
  const rows =
    load.kind === 'upsert' ? 'rows keep what they had there, and new ones have NULL' : 'new rows have NULL there'
  return `${names} of ${from.name}.${source}: ${GONE}, and ${into.name}.${target} keeps ${gone.length === 1 ? 'it' : 'them'}: ${rows}`
}

/** Makes the changes that leave rows as they are; says what could not be made. */
export async function makeChanges(
  pipeline: Pipeline,
  { safe }: TargetChanges,
  missing: readonly MissingColumn[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { target } = pipeline.load
  const { table, database } = target.definition
  const notes: string[] = []
  for (const alteration of safe) {
    const statement = { ...alteration, rows: null, valuesLost: 0, obstacles: [], behind: null }
    const plan = { model: target, isNew: false, statements: [statement], questions: [], notes: [] }
    try {
      await applyPlans(target.database, [plan], {
        by: `the pipeline ${pipeline.name}`,
        again: `npx dray plan ${pipeline.name}`,
      })
      notes.push(madeNote(pipeline, alteration, missing))
    } catch (error) {
      if (signal.aborted || error instanceof TransientError) throw error
      notes.push(
        `${database}.${table} could not be changed by \`${alteration.sql.join('; ')}\`, which ${alteration.what}: ${(error as Error).message}`,
      )
    }
  }
  return notes
}

function madeNote(
  { name, extract, load }: Pipeline,
  { columns, what }: Alteration,
  missing: readonly MissingColumn[],
): string {
  const place = ({ definition }: Pipeline['extract']['source'] | Pipeline['load']['target']) =>
    `${definition.database}.${definition.table}`
  const added = missing.find((one) => columns.includes(one.target.column))
  if (added === undefined) return `${place(load.target)} ${FOLLOWS}: this run ${what}`
  const earlier =
    extract.cursor === null
      ? ''
      : `; rows that were loaded before have NULL there until they change: \`npx dray state reset ${name} --yes\` has the next run load all of them`
  return `the column ${added.source} of ${place(extract.source)} ${ADDED}, so ${place(load.target)} has it now, too (${what})${earlier}`
}
