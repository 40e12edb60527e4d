import { type RawBuilder, sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { TableDefinition } from '#dray/active-record/table-definition.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { SourceTable } from './source-table.ts'

const DAY_MICROS = 86_400_000_000n
const SECOND = 1_000_000n

/** What the texts of a cursor are like. */
export interface StampTexts {
  /**
   * The unit to which stamps are cut, in microseconds: one without a fraction says that they are cut to the second, as
   * CURRENT_TIMESTAMP does.
   */
  readonly unit: bigint
  /** Rows whose text does not say that it is in UTC. */
  readonly withoutZone: number
}

/**
 * Throws `Terminal` when a stamp cannot be put in order with the others: it has an offset, is a number, has no date or
 * is in another form than ISO 8601.
 */
export async function stampTexts(
  definition: TableDefinition,
  { name, value }: { readonly name: string; readonly value: RawBuilder<unknown> },
  connection: Connection,
  { adapter, rows = [] }: Pick<SourceTable, 'adapter'> & { readonly rows?: readonly RawBuilder<unknown>[] },
): Promise<StampTexts> {
  const { isUnreadable, lengthWithoutFraction, saysZone } = adapter.textStamps
  const isBad = isUnreadable(value)
  const statement = compile(
    adapter,
    sql`select sum(case when ${isBad} then 1 else 0 end), min(case when ${isBad} then ${value} end), min(${lengthWithoutFraction(value)}), sum(case when ${saysZone(value)} then 0 else 1 end) from ${tableName(definition)}${where([...rows, sql`${value} is not null`])}`,
  )
  const [bad, example, shortest, withoutZone] =
    (await connection.query(statement.sql, statement.parameters)).rows[0] ?? []
  const unreadable = Number(bad ?? 0)
  if (unreadable === 0) {
    const unit = shortest === '10' ? DAY_MICROS : (shortest ?? null) === null ? 1n : SECOND
    return { unit, withoutZone: Number(withoutZone ?? 0) }
  }
  throw new TerminalError(
    `${definition.database}.${definition.table}: ${name} of ${unreadable} ${unreadable === 1 ? 'row' : 'rows'} is not a time stamp in UTC that can be compared with the others (such as ${JSON.stringify(example)}), so rows could fall between two windows and nothing was read; write them as YYYY-MM-DD HH:MM:SS, with a T, a fraction or a Z if you like, and without another offset${adapter.schema.liveTypes !== null ? ', or make the column a time stamp' : ''}`,
  )
}
