import type { OpenBlocks } from '#dray/block/block.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import { type MergeResult, OTHER_SPELLING } from '../../adapter.ts'
import { quote } from '../names.ts'
import { DroppedRows, reasonOf, UNIQUE_VIOLATION } from './attempt.ts'
import { mergeFamily } from './family.ts'
import type { Merging } from './merging.ts'
import { RANK, RankedRows } from './ranked-rows.ts'
import { Rotation } from './rotation.ts'
import { stored } from './row-conditions.ts'
import type { MergeSession } from './session.ts'
import { PLACE } from './spellings.ts'
import { MergeSql } from './sql.ts'
import { type RefusedPlace, StagedRows } from './staged-rows.ts'

/**
 * The merge once more, with the rows that the database refuses found one by one under savepoints: first those that COPY
 * refuses (type, length, encoding), then those that the table refuses (NOT NULL, CHECK, foreign keys, other unique
 * keys) or drops. Of the latter it says which rows could stand in for them.
 */
export async function isolateRows(
  session: MergeSession,
  merging: Merging,
  open: OpenBlocks,
): Promise<{ readonly result: MergeResult; readonly standIns: StandIns }> {
  const savepoint = session.name('isolate')
  await session.run(`SAVEPOINT ${savepoint}`)
  try {
    const copied = `pg_temp.${session.name('rows')}`
    const sql = new MergeSql(merging, copied)
    const staged = new StagedRows(session, merging, sql, copied)
    await staged.stage(open)
    const held = heldBack(merging, sql)
    const present = held === null ? [] : await findHeldBack(session, merging, sql, staged, held)
    const ranked = new RankedRows(session, merging, sql)
    await ranked.rank(staged.last, held === null ? 'true' : `NOT ${held}`)
    await mergeRanked(session, merging, sql, ranked)
    const rejected = await staged.rejected([...present, ...lateRefusals(merging, ranked)], open)
    const duplicate = await staged.duplicates()
    const mayStandIn = duplicate > 0 && ranked.refused.size > 0 && sql.keyed
    const pairs = mayStandIn ? await earlierRows(session, merging, staged, ranked) : []
    await session.run(`DROP TABLE ${staged.table}, ${ranked.table}; RELEASE ${savepoint}`)
    const result = { ...ranked.merged, duplicate, rejected }
    requireEveryRow(merging, staged.given, result)
    return { result, standIns: standInsOf(pairs, staged) }
  } catch (error) {
    await session.run(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`).catch(() => {})
    throw error
  }
}

/** Until no row lands any more: rows again that were refused, then rows that swap their values. */
async function mergeRanked(session: MergeSession, merging: Merging, sql: MergeSql, ranked: RankedRows): Promise<void> {
  if (!(await mergeFamily(session, merging, sql, ranked))) await ranked.mergeAll()
  const rotation = new Rotation(session, merging, sql, ranked)
  // What another transaction wrote meanwhile looks as if it were dropped, until it is looked at once more.
  const mayBeSeen = [...ranked.refused.values()].some((fault) => fault instanceof DroppedRows)
  let landed = mayBeSeen ? 1 : ranked.places.length - ranked.refused.size
  for (let lastFirst = true; ranked.refused.size > 0; lastFirst = !lastFirst) {
    landed = landed > 0 ? await ranked.mergeAgain(lastFirst) : 0
    if (landed === 0) landed = await rotation.merge()
    if (landed === 0) return
  }
}

function lateRefusals({ target }: Merging, { refused, places }: RankedRows): RefusedPlace[] {
  return [...refused].map(([rank, fault]) => ({ place: places[rank] as number, why: reasonOf(fault, target) }))
}

/** Rows that need no attempt: to insert where the key is there, or to update where it is spelled otherwise. */
function heldBack({ target }: Merging, sql: MergeSql): string | null {
  if (!sql.keyed) return null
  if (target.mode === 'insert') return sql.present()
  const { sameKey, sameSpelling } = sql.conditions
  if (sameSpelling === null) return null
  return `EXISTS (SELECT 1 FROM ${sql.target} t WHERE ${sameKey} AND NOT (${sameSpelling}))`
}

async function findHeldBack(
  session: MergeSession,
  { target }: Merging,
  sql: MergeSql,
  staged: StagedRows,
  held: string,
): Promise<RefusedPlace[]> {
  const key = target.key.map((column) => stored('t', column)).join(', ')
  const { rows } = await session.run(
    `SELECT DISTINCT ON (s.${PLACE}) s.${PLACE}, array_to_string(ARRAY[${key}], ', ') FROM (${staged.last}) s JOIN ${sql.target} t ON ${sql.conditions.sameKey} WHERE ${held}`,
  )
  const column = target.key.length === 1 ? (target.key[0] as string) : null
  const names = target.key.join(', ')
  return rows.map(([place, spelling]) => ({
    place: Number(place),
    why:
      target.mode === 'insert'
        ? { code: UNIQUE_VIOLATION, column, message: `the table has a row of this key (${names}) already` }
        : {
            code: OTHER_SPELLING,
            column,
            message: `${target.table} has this key (${names}) spelled ${JSON.stringify(spelling)}, so the row is not written; give one spelling at the source or in the transform, or delete the old row`,
          },
  }))
}

/** The places of refused rows, each with that of an earlier row of its key; the last first. */
async function earlierRows(
  session: MergeSession,
  { target }: Merging,
  staged: StagedRows,
  ranked: RankedRows,
): Promise<readonly (readonly [number, number])[]> {
  const sameKey = target.key.map((column) => `k.${quote(column)} = r.${quote(column)}`).join(' AND ')
  const { rows } = await session.run(
    `SELECT r.${PLACE}, k.${PLACE} FROM ${ranked.table} r JOIN ${staged.table} k ON ${sameKey} AND k.${PLACE} < r.${PLACE}
     WHERE r.${RANK} = ANY($1::bigint[]) ORDER BY k.${PLACE} DESC`,
    [`{${[...ranked.refused.keys()].join(',')}}`],
  )
  return rows.map(([winner, earlier]) => [Number(winner), Number(earlier)])
}

function standInsOf(pairs: readonly (readonly [number, number])[], staged: StagedRows): StandIns {
  const places = [...new Set(pairs.flat())].sort((one, other) => one - other)
  const rows = new Map(staged.inputRows(places).map((row, index) => [places[index], row]))
  const standIns = new Map<number, number[]>()
  for (const [winner, earlier] of pairs) {
    const row = rows.get(winner) as number
    const own = standIns.get(row)
    if (own === undefined) standIns.set(row, [rows.get(earlier) as number])
    else own.push(rows.get(earlier) as number)
  }
  return standIns
}

function requireEveryRow({ target }: Merging, given: number, result: MergeResult): void {
  const { inserted, updated, unchanged, duplicate, rejected } = result
  const counted = inserted + updated + unchanged + duplicate + rejected.length
  if (counted === given) return
  throw new TerminalError(
    `A merge of ${given} rows into ${target.table} counted ${counted} (inserted ${inserted}, updated ${updated}, unchanged ${unchanged}, duplicate ${duplicate}, rejected ${rejected.length}), so nothing was written; look for a trigger or rule that writes other rows of the table, and report it`,
  )
}
