import { NAMED_KEYS, repeatedKeys } from '#dray/database/merge/repeated-keys.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { MergeTarget } from '../../adapter.ts'
import { tableNameOf } from '../../table-name.ts'
import { quote } from '../names.ts'
import { refusalOf } from './load-inserts.ts'
import type { Merging } from './merging.ts'
import type { MergeSession } from './session.ts'
import { MergeSql } from './sql.ts'
import { stagedColumnOf } from './staged-columns.ts'
import { anyOf, flawsOf } from './staged-rows.ts'
import { type Fault, StagingTable } from './staging-table.ts'
import { columnOf, readTargetTable } from './target-table.ts'
import { StagedWriter } from './write-rows.ts'

/**
 * Merges the rows of a temporary table: all of them, or throws why one of them is refused. They go through a table of
 * forgiving types, where what the target would change is found.
 */
export async function mergeSelected(session: MergeSession, target: MergeTarget, from: string) {
  const live = await readTargetTable(session, target)
  const { isMariaDB } = session.facts
  const columns = target.columns.map((name) => stagedColumnOf(columnOf(live, target, name), target.table, isMariaDB))
  const staging = new StagingTable(session, tableNameOf(target.table), columns)
  const merging: Merging = { session, target, live, staging, sql: new MergeSql(target, live, staging) }
  try {
    const given = await fill(merging, from)
    await refuseFlawed(merging)
    await refuseRepeated(merging)
    const places = Array.from({ length: given }, (_, place) => place)
    const writer = new StagedWriter(merging, places)
    const fault = given === 0 ? null : await writer.write(places)
    if (fault !== null) throw refused(fault)
    return { ...writer.written, duplicate: 0 }
  } finally {
    await staging.drop().catch(() => {})
  }
}

async function fill({ session, target, staging }: Merging, from: string): Promise<number> {
  await staging.create()
  const columns = target.columns.map(quote).join(', ')
  let rows = 0
  const fault = await refusalOf(
    session,
    `INSERT INTO ${staging.table} (${columns}) SELECT ${columns} FROM ${from}`,
    ({ affected }) => {
      rows = affected
    },
  )
  if (fault !== null) throw refused(staging.faultOf(fault.code, fault.message))
  return rows
}

async function refuseFlawed(merging: Merging): Promise<void> {
  const { session, target, staging } = merging
  const flaws = flawsOf(merging, { areGiven: false })
  if (flaws.length === 0) return
  const which = flaws.map(({ condition }, place) => `WHEN ${condition} THEN ${place}`).join(' ')
  const key = target.key.map(quote)
  const { rows } = await session.run(
    `SELECT ${[`CASE ${which} END`, ...key].join(', ')} FROM ${staging.table} WHERE ${anyOf(flaws)} LIMIT 1`,
    { signal: session.signal },
  )
  const [place, ...values] = rows[0] ?? []
  const flaw = flaws[Number(place)]
  if (place === undefined || flaw === undefined) return
  const where = key.length === 0 ? '' : ` of the row with (${target.key.join(', ')}) = (${values.join(', ')})`
  throw new DataQualityError(flaw.column, flaw.code, `${flaw.column}${where}: ${flaw.message}`)
}

async function refuseRepeated({ session, target, live, staging }: Merging): Promise<void> {
  if (target.key.length === 0) return
  const key = target.key.map(quote).join(', ')
  const isKeyed = target.key.map((column) => `${quote(column)} IS NOT NULL`).join(' AND ')
  const { rows } = await session.run(
    `SELECT ${key} FROM ${staging.table} WHERE ${isKeyed} GROUP BY ${key} HAVING COUNT(*) > 1 ORDER BY ${key} LIMIT ${NAMED_KEYS}`,
    { signal: session.signal },
  )
  // A whole number is staged with a digit behind the point.
  const isWhole = target.key.map((name) => columnOf(live, target, name).kind.endsWith('int'))
  const written = rows.map((row) =>
    row.map((value, place) => (isWhole[place] ? (value ?? '').replace(/\.0$/, '') : value)),
  )
  if (written.length > 0) throw repeatedKeys(target, written)
}

function refused({ code, column, message }: Omit<Fault, 'places'>): DataQualityError {
  return new DataQualityError(column ?? '', code, message)
}
