import type { OpenBlocks, Text } from '#dray/block/block.ts'
import { AscendingKeys } from '#dray/database/merge/ascending-keys.ts'
import { countsOf, type MergeCounts } from './counts.ts'
import { fittingRows } from './fitting-values.ts'
import type { Merging } from './merging.ts'
import type { MergeSession } from './session.ts'
import { PLACE, Spellings } from './spellings.ts'
import { MergeSql, type Rows } from './sql.ts'

/** Below this many rows the planner's guess is good enough. */
const ANALYZED_ROWS = 1_000
/** The first server whose MERGE says what it did to a row. */
const MERGE_VERSION = 170_000
const WHOLE_NUMBERS = new Set<string | null>(['int2', 'int4', 'int8'])

/**
 * What one MERGE may take to keep the keys of the table at hand, unless the server allows more. It was measured: 4 MB
 * cost a tenth of the time.
 */
const MORE_MEMORY = `SELECT current_setting('work_mem'),
  CASE WHEN pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB') THEN set_config('work_mem', '64MB', true) END`

type Counts = readonly (readonly Text[])[]

/**
 * Copies rows into a temporary table and merges them from there. Null when a column would change a value, when a key
 * comes in two spellings, or when rows are dropped.
 */
export async function mergeAtOnce(
  session: MergeSession,
  merging: Merging,
  open: OpenBlocks,
): Promise<MergeCounts | null> {
  const temporary = `pg_temp.${session.name('rows')}`
  const sql = new MergeSql(merging, temporary)
  const unchanged = `pg_temp.${session.name('unchanged')}`
  await session.run(joinsOnce(merging) ? `${sql.createTable()}; ${sql.createSequence(unchanged)}` : sql.createTable())
  const passed = new PassedRows(merging)
  const given = await session.copyIn(sql.copy(), passed.bytes(open()))
  const looked = passed.needLook ? (await session.run(sql.look())).rows[0] : undefined
  if (looked?.[2] === 't') return null
  const areDistinct = looked === undefined || Number(looked[0]) === given
  if (!areDistinct && (await hasTwoSpellings(session, merging, sql, temporary, open))) return null
  const rows = areDistinct
    ? sql.eachRow(given)
    : { ...sql.lastOfEachKey(), count: `SELECT ${looked?.[0]}, ${looked?.[1]}` }
  const order = passed.areAscending ? 'any' : 'ordered'
  const counts = await mergeTemporary(session, merging, sql, { rows, given, order, unchanged })
  if (await lacksRows(session, merging, sql, rows)) return null
  await session.run(`DROP TABLE ${temporary}${joinsOnce(merging) ? `; DROP SEQUENCE ${unchanged}` : ''}`)
  return countsOf(given, counts)
}

/** Whether one MERGE updates and inserts; a sequence counts what it leaves alone then. */
export function joinsOnce({ target, table }: Merging): boolean {
  return target.mode !== 'insert' && table.serverVersion >= MERGE_VERSION
}

interface Temporary {
  readonly rows: Rows
  readonly given: number
  readonly order: 'ordered' | 'any'
  /** The sequence. */
  readonly unchanged: string
}

/** Merges the rows of the temporary table; `countsOf` reads what it returns. */
export function mergeTemporary(
  session: MergeSession,
  merging: Merging,
  sql: MergeSql,
  { rows, given, order, unchanged }: Temporary,
): Promise<Counts> {
  return joinsOnce(merging)
    ? mergeByOneJoin(session, sql, rows, order, unchanged)
    : mergeByTwo(session, sql, rows, given)
}

/** Whether a trigger has written rows under other keys. */
export async function lacksRows(
  session: MergeSession,
  { table }: Merging,
  sql: MergeSql,
  rows: Rows,
  run: (statement: string) => Promise<Counts> = async (statement) => (await session.run(statement)).rows,
): Promise<boolean> {
  if (!table.changesWritten || !sql.keyed) return false
  const [[missing] = []] = await run(sql.missing(rows.select('true', 'any')))
  return missing !== '0'
}

async function hasTwoSpellings(
  session: MergeSession,
  { target }: Merging,
  sql: MergeSql,
  temporary: string,
  open: OpenBlocks,
): Promise<boolean> {
  const spellings = new Spellings(session, target)
  await spellings.copy(open)
  return spellings.differ(`SELECT row_number() OVER (ORDER BY ctid) - 1 AS ${PLACE}, * FROM ${temporary}`, sql)
}

/** The rows left alone take numbers of a sequence; what it counted is read once the MERGE is done. */
async function mergeByOneJoin(
  session: MergeSession,
  sql: MergeSql,
  rows: Rows,
  order: 'ordered' | 'any',
  unchanged: string,
): Promise<Counts> {
  const [before, raised] = (await session.run(MORE_MEMORY)).rows[0] as readonly [string, Text]
  const merged = await session.run(sql.mergeByOneJoin(rows, order, unchanged))
  if (raised !== null) await session.run("SELECT set_config('work_mem', $1, true)", [before])
  const taken = (await session.run(sql.taken(unchanged))).rows[0] as readonly Text[]
  return merged.rows.map((row) => [...row, ...taken])
}

async function mergeByTwo(session: MergeSession, sql: MergeSql, rows: Rows, given: number): Promise<Counts> {
  if (given >= ANALYZED_ROWS && sql.keyed) await session.run(sql.analyze())
  return (await session.run(sql.merge(rows))).rows
}

/**
 * Looks at rows on their way to the server, which has more to do than this process: what is seen here, it need not look
 * for.
 */
class PassedRows {
  readonly #keys: AscendingKeys
  readonly #fits: ((bytes: Buffer) => boolean) | null
  #areFitting: boolean

  constructor({ target, table, narrow }: Merging) {
    this.#keys = new AscendingKeys(target)
    const key = table.columns.find(({ name }) => name === target.key[0])
    // `1` and `01` are two texts, but one number; of other types not even this much is known.
    if (!WHOLE_NUMBERS.has(key?.type ?? null)) this.#keys.isAscending = false
    this.#fits = fittingRows(target.columns, narrow)
    this.#areFitting = this.#fits !== null
  }

  async *bytes(blocks: ReturnType<OpenBlocks>): AsyncGenerator<Uint8Array> {
    for await (const { bytes } of blocks) {
      this.#keys.add(bytes)
      if (this.#areFitting) this.#areFitting = this.#fits?.(bytes) === true
      yield bytes
    }
  }

  get areAscending(): boolean {
    return this.#keys.isAscending
  }

  /** A key may come twice, or a column may change a value. */
  get needLook(): boolean {
    return !(this.#keys.isAscending && this.#areFitting)
  }
}
