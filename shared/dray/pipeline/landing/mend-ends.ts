import { type RawBuilder, sql } from 'kysely'
import { mergeBlocks, mergeTarget } from '#dray/active-record/bulk.ts'
import { boundValue, columnName, readColumn, tableName } from '#dray/active-record/sql.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import type { Adapter, LiveColumn, QueryOptions, RejectedRow } from '#dray/database/adapter.ts'
import { TerminalError } from '#dray/errors.ts'
import { bytesOfKey, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { rowsOf } from './history-decisions.ts'
import type { HistoryLayout } from './history-layout.ts'
import { queried } from './queried.ts'
import { reasonWithoutValues } from './rejected-rows.ts'

interface Options extends QueryOptions {
  /** The newest version of each key has no end: the source has the key. */
  readonly reopens: boolean
  /** What is refused stops the load, instead of being returned. */
  readonly isLast: boolean
}

/** What the versions that are there have come to before others are written. */
interface Room {
  readonly faults: ReadonlyMap<string, RejectedRow>
  /** Keys of versions that were changed. */
  readonly changed: readonly (readonly Text[])[]
  /** By the keys and starts of versions that are to be written, their ends; null for those that have none. */
  readonly ends: ReadonlyMap<string, Text>
}

/**
 * Ends the versions that are there where the rows begin, before these are written: a table may allow one current
 * version of a thing, or none that overlap.
 */
export async function makeRoom(layout: HistoryLayout, rows: OpenBlocks, options: Options): Promise<Room> {
  const room = { faults: new Map<string, RejectedRow>(), changed: [] as Text[][], ends: new Map<string, Text>() }
  const { target } = layout.pipeline.load
  const live = await bytesOfKey(target, layout.by)
  const columns = [...layout.by, layout.column(layout.from)].map(({ column }) => column)
  const adapter = await layout.database.adapter()
  const held = await layout.database.withConnection((connection) =>
    connection.holdRows({ table: target.definition.table, columns }, () => startsOf(layout, rows), options),
  )
  const read = layout.by.map((column) => readColumn(adapter, column))
  const keys = await queried(layout.database, sql`select distinct ${sql.join(read)} from ${sql.raw(held.table)}`)
  for (const group of inGroups(keys.filter((key) => !key.includes(null)))) {
    const of = { keys: group, live, held: held.table }
    // Before ends are moved, which may be those of these versions.
    for (const row of await queried(layout.database, followingMoments(layout, adapter, of, options)))
      room.ends.set(layout.momentKey(row.slice(0, -2), row.at(-2) ?? null), row.at(-1) ?? null)
    const wrong = await queried(layout.database, wrongEnds(layout, adapter, of, options))
    const ended = wrong.map((row) => layout.ending(row.slice(0, -1), row.at(-1) ?? null))
    const { rejected } = ended.length === 0 ? { rejected: [] } : await rewrite(layout, ended, options)
    for (const one of rejected) room.faults.set(layout.key(ended[one.row] as readonly Text[]), one)
    room.changed.push(...ended.map((row) => layout.keyTexts(row)))
  }
  await held.release()
  return room
}

/** The keys and starts of the rows. */
async function* startsOf(layout: HistoryLayout, rows: OpenBlocks): AsyncGenerator<CopyBlock> {
  const encoder = new BlockEncoder()
  for await (const row of rowsOf(rows)) {
    const full = encoder.push([...layout.keyTexts(row), row[layout.from] ?? null])
    if (full !== null) yield full
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

/**
 * Gives each version of these keys the end that it has: the next moment at which a version of its key begins, or at
 * which the key was found to be gone; none where there is no such moment. Returns by their keys the versions that the
 * target does not let be changed.
 */
export async function mendEnds(
  layout: HistoryLayout,
  keys: readonly (readonly Text[])[],
  options: Options,
): Promise<Map<string, RejectedRow>> {
  const faults = new Map<string, RejectedRow>()
  const live = await bytesOfKey(layout.pipeline.load.target, layout.by)
  const adapter = await layout.database.adapter()
  for (const group of inGroups(keys)) {
    const wrong = () => queried(layout.database, wrongEnds(layout, adapter, { keys: group, live, held: null }, options))
    const rows = (await wrong()).map((row) => layout.ending(row.slice(0, -1), row.at(-1) ?? null))
    if (rows.length === 0) continue
    const { rejected } = await rewrite(layout, rows, options)
    for (const one of rejected) faults.set(layout.key(rows[one.row] as readonly Text[]), one)
    const [first] = rejected
    if (rejected.length > 0 && !options.isLast) continue
    const left = rejected.length > 0 ? rejected.length : (await wrong()).length
    if (left > 0) throw unmended(layout, left, first === undefined ? null : reasonWithoutValues(first))
  }
  return faults
}

function unmended({ pipeline }: HistoryLayout, versions: number, reason: string | null): TerminalError {
  const { database, table } = pipeline.load.target.definition
  return new TerminalError(
    `${pipeline.name}: ${versions} versions in ${database}.${table} do not take the end that they have now, so nothing was written and last_run stays where it is; look for a trigger, a rule or a policy${reason === null ? '' : `: ${reason}`}`,
  )
}

interface Keys {
  readonly keys: readonly (readonly Text[])[]
  readonly live: readonly LiveColumn[]
  /** The table with the keys and starts of versions that are to come, as SQL. */
  readonly held: string | null
}

function endOf(layout: HistoryLayout, adapter: Adapter): RawBuilder<unknown> | null {
  return layout.fields.open === null ? null : boundValue(adapter, layout.column(layout.to), layout.fields.open)
}

/** The moments at which something of these keys begins or ends, and of each the next one. */
function followingMoments(
  layout: HistoryLayout,
  adapter: Adapter,
  { keys, live, held }: Keys,
  { reopens }: Options,
): RawBuilder<unknown> {
  const table = tableName(layout.pipeline.load.target.definition)
  const [from, to] = [columnName(layout.column(layout.from)), columnName(layout.column(layout.to))]
  const by = layout.by.map(columnName)
  const key = sql.join(by)
  const open = endOf(layout, adapter)
  const isOpen = open === null ? sql`${to} is null` : sql`(${to} is null or ${to} = ${open})`
  const isOneOf = hasKey(adapter, layout.by, keys, live)
  const over = sql`partition by ${key}`
  const coming =
    held === null ? sql`` : sql` union all select ${key}, ${from}, 1 from ${sql.raw(held)} where ${isOneOf}`
  // Moments at which something begins or ends; a start goes before an end at the same moment.
  const moments = sql`select ${key}, ${from} as ${AT}, 1 as ${STARTS} from ${table} where ${isOneOf}
    union all select ${key}, ${to}, 0 from ${table} where ${isOneOf} and not ${isOpen}${coming}`
  const distinct = sql`select ${key}, ${AT}, max(${STARTS}) as ${STARTS} from (${moments}) ${sql.id('dray$moments')} group by ${key}, ${AT}`
  const following = sql`select ${key}, ${AT}, lead(${AT}) over (${over} order by ${AT}) as ${NEXT},
    max(case when ${STARTS} = 1 then ${AT} end) over (${over}) as ${LAST} from (${distinct}) ${sql.id('dray$distinct')}`
  const next = reopens ? sql`case when ${NEXT} > ${LAST} then null else ${NEXT} end` : NEXT
  const named = sql.join(by.map((column, place) => sql`${column} as ${keyName(place)}`))
  return sql`select ${named}, ${AT}, ${next} as ${END} from (${following}) ${sql.id('dray$following')}`
}

/** Versions whose end is not that which they have now, and which that is. */
function wrongEnds(layout: HistoryLayout, adapter: Adapter, keys: Keys, options: Options): RawBuilder<unknown> {
  const table = tableName(layout.pipeline.load.target.definition)
  const [from, to] = [columnName(layout.column(layout.from)), columnName(layout.column(layout.to))]
  const by = layout.by.map(columnName)
  const open = endOf(layout, adapter)
  const { reopens } = options
  const ends = followingMoments(layout, adapter, keys, options)
  const isSame = sql.join(
    by.map((column, place) => sql`${table}.${column} = ${keyName(place)}`),
    sql` and `,
  )
  // One that ended as it began, since the source's clock was ahead, stays so while its key is gone.
  const isEmpty = sql`(${to} is not null and ${to} = ${from}${reopens ? sql` and ${END} is not null` : sql``})`
  const isWrong =
    open === null
      ? sql`(${to} is null and ${END} is not null or ${to} is not null and ${END} is null or ${to} <> ${END})`
      : sql`(${to} is null or ${to} <> coalesce(${END}, ${open}))`
  const read = layout.columns.map((column) => readColumn(adapter, column))
  return sql`select ${sql.join(read)}, ${END} from ${table} join (${ends}) ${sql.id('dray$ends')} on ${isSame} and ${from} = ${AT} where ${isWrong} and not ${isEmpty}`
}

// No model has columns of such names.
const [AT, STARTS, NEXT, LAST, END] = ['at', 'starts', 'next', 'last', 'end'].map((name) => sql.id(`dray$${name}`)) as [
  RawBuilder<unknown>,
  RawBuilder<unknown>,
  RawBuilder<unknown>,
  RawBuilder<unknown>,
  RawBuilder<unknown>,
]

function keyName(place: number): RawBuilder<unknown> {
  return sql.id(`dray$key${place}`)
}

function rewrite(layout: HistoryLayout, rows: readonly (readonly Text[])[], { signal }: QueryOptions) {
  const blocks: CopyBlock[] = []
  const encoder = new BlockEncoder()
  for (const row of rows) {
    const full = encoder.push(row)
    if (full !== null) blocks.push(full)
  }
  const rest = encoder.flush()
  if (rest !== null) blocks.push(rest)
  const { target, by } = layout.pipeline.load
  const into = mergeTarget(target.definition, 'upsert', { by })
  return mergeBlocks(layout.database, { ...into, respell: true }, () => blocks, { signal })
}
