import type { Text } from '#dray/block/block.ts'
import { bisect, type Refusal } from '#dray/database/merge/bisect.ts'
import { otherSpelling } from '#dray/database/merge/spellings.ts'
import { DROPPED } from '../../adapter.ts'
import { withoutRow } from '../translate.ts'
import { refusalOf } from './load-inserts.ts'
import type { Merging } from './merging.ts'
import type { Fault } from './staging-table.ts'

const SAVEPOINT = '`dray_merge`'

/** What writing staged rows did, each counted by the statement that did it. */
export interface Written {
  readonly inserted: number
  readonly updated: number
  readonly refused: ReadonlyMap<number, Fault>
}

/** Writes the staged rows that differ from the target's; finds those that it refuses, or takes and does not write. */
export async function writeStaged(merging: Merging, rows: number): Promise<Written> {
  const write = new StagedWrite(merging)
  await bisect<Fault>(
    rows,
    (from, to) => write.attempt(from, to),
    (row, fault) => write.refused.set(row, { ...fault, message: withoutRow(fault.message) }),
  )
  return write
}

class StagedWrite implements Written {
  inserted = 0
  updated = 0
  readonly refused = new Map<number, Fault>()
  readonly #merging: Merging

  constructor(merging: Merging) {
    this.#merging = merging
  }

  async attempt(from: number, to: number): Promise<Refusal<Fault> | null> {
    const { session, target, sql } = this.#merging
    const isInsert = target.mode === 'insert'
    let [inserted, updated, records] = [0, 0, 0]
    await session.run(`SAVEPOINT ${SAVEPOINT}`)
    const statement = isInsert ? sql.insert([from, to]) : sql.upsert([from, to])
    const fault = await refusalOf(session, statement, (counts) => {
      // A new row counts once in `affected`, a changed one twice.
      updated = isInsert ? 0 : counts.duplicates
      inserted = counts.affected - 2 * updated
      records = counts.records
    })
    const isWhole = fault === null && inserted + updated === records
    const lost = fault === null && !isInsert ? await this.#lost(from, to, isWhole) : []
    if (isWhole && lost.length === 0) {
      this.inserted += inserted
      this.updated += updated
      return null
    }
    await session.run(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
    if (fault !== null) return { error: fault, at: null }
    if (to - from === 1) return { error: lost[0]?.fault ?? this.#dropped, at: null }
    if (lost.length === 0) return { error: this.#dropped, at: null }
    for (const { row, fault } of lost) this.refused.set(row, fault)
    await this.#merging.staging.remove(lost.map(({ row }) => row))
    return this.attempt(from, to)
  }

  /** Rows whose key is not in the target after the write; where all were counted, a trigger can have moved one. */
  async #lost(from: number, to: number, isWhole: boolean): Promise<readonly { row: number; fault: Fault }[]> {
    const { session, staging, sql, triggers } = this.#merging
    if (isWhole && !(triggers && sql.isPrimary)) return []
    const { rows } = await session.run(sql.missing(from, to), { signal: session.signal })
    return rows.map(([place, isSameKey, ...spelling]) => ({
      row: staging.rowOf(place as string),
      fault: this.#reason(isWhole, isSameKey === '1', spelling),
    }))
  }

  #reason(isWhole: boolean, isSameKey: boolean, spelling: readonly Text[]): Fault {
    const { target, sql } = this.#merging
    if (isWhole) return this.#dropped
    if (isSameKey) return otherSpelling(target, 'the table', spelling)
    if (!sql.hasOtherKeys) return this.#dropped
    const message = `Another row has the same value in a unique key other than (${target.key.join(', ')}).`
    return { code: '1062', column: null, message }
  }

  get #dropped(): Fault {
    const { table } = this.#merging.target
    const message = `The database took the row and did not write it as it is. A trigger of ${table} that keeps the old values or sets another key is the likely cause; SHOW TRIGGERS lists them.`
    return { code: DROPPED, column: null, message }
  }
}
