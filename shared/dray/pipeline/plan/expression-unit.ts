import { sql } from 'kysely'
import { columnName, tableName, where } from '#dray/active-record/sql.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { microsOf } from '#dray/pipeline/texts/instant.ts'
import { cursorForm } from './cursor-form.ts'
import { cursorColumns, cursorName, cursorValue } from './cursor-value.ts'
import { ownRows } from './source-rows.ts'
import type { SourceTable } from './source-table.ts'

const DAY = 86_400_000_000n
const LOOKED_AT = 1_000

/**
 * The unit to which an expression cuts moments, at least `unit`: that of its columns where it gives one of them as it
 * is, else what its newest values are whole multiples of. Throws `Terminal` where they are whole days: they may be
 * weeks or months as well, and changes within one would not be seen.
 */
export async function unitOfExpression(
  extraction: Extraction,
  unit: bigint,
  connection: Connection,
  table: SourceTable,
): Promise<bigint> {
  const { definition } = extraction.source
  const { moment } = cursorForm(extraction, table)
  const value = cursorValue(extraction)
  const isLoose = table.adapter.typeOf === null
  const alike = cursorColumns(extraction).filter(
    ({ column, field }) =>
      field.settings.kind === 'timestamp' &&
      (isLoose || table.columns.find(({ name }) => name === column)?.type.replace(/\(\d\)/, '') === table.cursorType),
  )
  const same = alike.map((column) => sql`${value} = ${columnName(column)}`)
  const isColumn = same.length === 0 ? sql.raw('0') : sql`case when ${sql.join(same, sql` or `)} then 1 else 0 end`
  const rows = where([...ownRows(extraction, table), sql`${value} is not null`])
  const statement = compile(
    table.adapter,
    sql`select ${moment}, ${isColumn} from ${tableName(definition)}${rows} order by 1 desc limit ${sql.raw(String(LOOKED_AT))}`,
  )
  const found = (await connection.query(statement.sql, statement.parameters)).rows
  if (found.length > 0 && found.every(([, one]) => one === '1')) return unit
  const moments = found.flatMap(([text]) => (text === null || text === undefined ? [] : [microsOf(text) ?? 0n]))
  const measured = moments.reduce(commonDivisor, DAY)
  if (moments.length === 0 || measured < DAY) return (unit * measured) / commonDivisor(unit, measured)
  throw new TerminalError(
    `${definition.database}.${definition.table}: the cursor ${cursorName(extraction)} gives whole days and none of its columns, so a row that changes twice in such a time would be read once, and nothing was read; give the moment of the change itself, as in sql\`greatest(a, b)\``,
  )
}

function commonDivisor(one: bigint, other: bigint): bigint {
  let [left, right] = [one, other < 0n ? -other : other]
  while (right !== 0n) [left, right] = [right, left % right]
  return left
}
