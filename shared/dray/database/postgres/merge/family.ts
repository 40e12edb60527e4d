import { quote, quoteTable } from '../names.ts'
import { DroppedRows, type Fault } from './attempt.ts'
import type { Merging } from './merging.ts'
import { RANK, type RankedRows } from './ranked-rows.ts'
import type { MergeSession } from './session.ts'
import type { MergeSql } from './sql.ts'

/** So often rows that are known to be at fault are left out, and the others written. */
const MOST_ROUNDS = 20
const FOREIGN_KEY_VIOLATION = '23503'

/** A foreign key of the table to itself. */
interface OwnReference {
  readonly name: string
  readonly columns: readonly (readonly [column: string, referred: string])[]
}

const OWN_REFERENCES = `
  SELECT o.conname, a.attname, r.attname
  FROM pg_constraint o, unnest(o.conkey, o.confkey) WITH ORDINALITY AS k(own, referred, nth)
    JOIN pg_attribute a ON a.attnum = k.own JOIN pg_attribute r ON r.attnum = k.referred
  WHERE o.contype = 'f' AND o.conrelid = to_regclass($1) AND o.confrelid = o.conrelid
    AND a.attrelid = o.conrelid AND r.attrelid = o.conrelid ORDER BY o.conname, k.nth`

/**
 * Merges rows of a table that refers to itself in one statement, which looks at its end whether all that they refer to
 * is there: parents that come later, and circles, land however many rows beside them are refused. Those are found
 * first, by trials that leave nothing behind, and then all that hangs on them. False where rows are refused for
 * something else; then nothing is written.
 */
export async function mergeFamily(
  session: MergeSession,
  merging: Merging,
  sql: MergeSql,
  ranked: RankedRows,
): Promise<boolean> {
  const keys = await ownReferences(session, merging)
  if (keys.length === 0) return false
  const isReference = (fault: Fault) =>
    !(fault instanceof DroppedRows) &&
    fault.code === FOREIGN_KEY_VIOLATION &&
    keys.some(({ name }) => name === fault.constraint)
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const fault = await ranked.writeRest()
    if (fault === null) return true
    const found = isReference(fault)
      ? new Map((await orphans(session, sql, ranked, keys)).map((rank) => [rank, fault]))
      : await ranked.faulty((one) => !isReference(one))
    if (found.size === 0) break
    for (const [rank, why] of found) {
      ranked.refused.set(rank, why)
      if (why === fault && isReference(fault)) ranked.waiting.add(rank)
    }
  }
  ranked.refused.clear()
  ranked.waiting.clear()
  return false
}

/** Where the load has not every column of one, it cannot be followed. */
async function ownReferences(session: MergeSession, { target }: Merging): Promise<OwnReference[]> {
  const { rows } = await session.run(OWN_REFERENCES, [quoteTable(target.table)])
  const keys = [...Map.groupBy(rows, ([name]) => name as string)].map(([name, columns]) => ({
    name,
    columns: columns.map(([, own, referred]) => [own as string, referred as string] as const),
  }))
  const isGiven = ({ columns }: OwnReference) => columns.flat().every((column) => target.columns.includes(column))
  return keys.every(isGiven) ? keys : []
}

/** The rows that refer to one which neither the table nor the others have, and all that refer to those. */
async function orphans(
  session: MergeSession,
  sql: MergeSql,
  ranked: RankedRows,
  keys: readonly OwnReference[],
): Promise<number[]> {
  const refersTo = ({ columns }: OwnReference, parent: string) =>
    columns.map(([own, referred]) => `${parent}.${quote(referred)} = s.${quote(own)}`).join(' AND ')
  const isStored = (key: OwnReference) => `EXISTS (SELECT 1 FROM ${sql.target} t WHERE ${refersTo(key, 't')})`
  const rest = `SELECT ${RANK}, ${sql.selected} FROM ${ranked.table} WHERE ${ranked.rest()}`
  const lacksParent = keys.map((key) => {
    const refers = key.columns.map(([own]) => `s.${quote(own)} IS NOT NULL`).join(' AND ')
    return `(${refers} AND NOT ${isStored(key)} AND NOT EXISTS (SELECT 1 FROM dray_rest p WHERE ${refersTo(key, 'p')}))`
  })
  const hangs = keys.map((key) => `(${refersTo(key, 'p')} AND NOT ${isStored(key)})`)
  const { rows } = await session.run(
    `WITH RECURSIVE dray_rest AS MATERIALIZED (${rest}), dray_lost AS (
       SELECT s.${RANK} FROM dray_rest s WHERE ${lacksParent.join(' OR ')}
       UNION SELECT s.${RANK} FROM dray_lost l JOIN dray_rest p ON p.${RANK} = l.${RANK} JOIN dray_rest s ON ${hangs.join(' OR ')})
     SELECT * FROM dray_lost`,
  )
  return rows.map(([rank]) => Number(rank))
}
