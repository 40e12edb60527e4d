import { type RawBuilder, sql } from 'kysely'
import { columnName, readColumn } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { ValidationError } from '#dray/active-record/validations.ts'
import type { Text } from '#dray/block/block.ts'
import type { Adapter, LiveColumn } from '#dray/database/adapter.ts'
import type { RowLimits } from '#dray/pipeline/declare/row-limits.ts'

type Sql = RawBuilder<unknown>

/** The code of a value, or of what the transform has made of a row, that is beyond the limits. */
export const TOO_LARGE = 'too_large'

/** The most bytes of a row that is written: the transform may make some more of it, and bytes take two digits each. */
export function mostWritten({ rowBytes }: RowLimits): number {
  return 2 * rowBytes
}

/** Why a row that the transform has made is not written. */
export function madeTooLarge(bytes: number, limits: RowLimits): ValidationError {
  return {
    field: '',
    code: TOO_LARGE,
    message: `the transform made a row of ${bytes} bytes of it, more than the ${mostWritten(limits)} that are written; make less of it, or say \`limits: { rowBytes: … }\` in the pipeline, then replay the row`,
  }
}

/** Rows that are beyond the limits, and how they are read: without the values that are. */
interface LargeRows {
  readonly condition: Sql
  /** The row's columns, a field that is empty, and for each column its length where its value was left out. */
  readonly columns: Sql[]
}

/** Has the database say how long the values of a table are, so that a large one is not read. */
export class RowSizes {
  readonly #columns: readonly ColumnDefinition[]
  readonly #adapter: Adapter
  readonly #limits: RowLimits
  /** By place of a column; null for one whose values are all short. */
  readonly #bytes: readonly (Sql | null)[]

  constructor(
    columns: readonly ColumnDefinition[],
    { adapter, columns: live }: { readonly adapter: Adapter; readonly columns: readonly LiveColumn[] },
    limits: RowLimits,
  ) {
    this.#columns = columns
    this.#adapter = adapter
    this.#limits = limits
    this.#bytes = columns.map((column) => {
      const type = live.find(({ name }) => name === column.column)?.type ?? ''
      return adapter.bytesOf(columnName(column), type)
    })
  }

  get #measured(): Sql[] {
    return this.#bytes.filter((bytes) => bytes !== null).map((bytes) => sql`coalesce(${bytes}, 0)`)
  }

  /** The bytes of a row. */
  get total(): Sql {
    return this.#measured.length === 0 ? sql.raw('0') : together(this.#measured, sql` + `)
  }

  /** True for a row that is within the limits. */
  get fits(): Sql {
    const most = sql.raw(String(this.#limits.valueBytes))
    const row = sql`${this.total} <= ${sql.raw(String(this.#limits.rowBytes))}`
    return together([row, ...this.#measured.map((bytes) => sql`${bytes} <= ${most}`)], sql` and `)
  }

  /** All other rows. */
  get large(): readonly LargeRows[] {
    const { valueBytes, rowBytes } = this.#limits
    const isLong = sql`${this.total} > ${sql.raw(String(rowBytes))}`
    const share = Math.floor(rowBytes / Math.max(1, this.#measured.length))
    return [
      { condition: sql`not ${isLong} and not (${this.fits})`, columns: this.columnsUpTo(valueBytes) },
      // However many they are, values of an equal share each are together no longer than a row may be.
      { condition: isLong, columns: this.columnsUpTo(Math.min(share, valueBytes)) },
    ]
  }

  /** What is read of a row of which no value may be longer, but for those of columns that are `kept`. */
  columnsUpTo(most: number, kept: readonly ColumnDefinition[] = []): Sql[] {
    const limit = sql.raw(String(most))
    const measured = this.#bytes.map((bytes, place) => (kept.includes(this.#columns[place] as never) ? null : bytes))
    const values = this.#columns.map((column, place) => {
      const bytes = measured[place] ?? null
      const name = columnName(column)
      return bytes === null
        ? readColumn(this.#adapter, column)
        : sql`case when ${bytes} <= ${limit} then ${name} end as ${name}`
    })
    const lengths = measured.map((bytes) =>
      bytes === null ? sql.raw('null') : sql`case when ${bytes} > ${limit} then ${bytes} end`,
    )
    return [...values, sql.raw("''"), ...lengths]
  }
}

/** Joined in halves: a chain of two thousand would be nested too deep. */
function together(parts: readonly Sql[], operator: Sql): Sql {
  if (parts.length === 1) return sql`(${parts[0]})`
  const half = Math.ceil(parts.length / 2)
  return sql`(${together(parts.slice(0, half), operator)}${operator}${together(parts.slice(half), operator)})`
}

/** A row of `columnsUpTo` without the fields behind its columns, unless a value was left out. */
export function withoutLengths(row: readonly Text[], columns: readonly ColumnDefinition[]): readonly Text[] {
  return row.slice(0, row.slice(columns.length + 1).some((bytes) => bytes !== null) ? undefined : columns.length)
}

/** Whether the value of a column, by its place, was left out of such a row. */
export function isLeftOut(row: readonly Text[], columns: readonly ColumnDefinition[], place: number): boolean {
  return (row[columns.length + 1 + place] ?? null) !== null
}

/** Whether a row has the fields of `columnsUpTo`. */
export function isMeasured(row: readonly Text[], columns: readonly ColumnDefinition[]): boolean {
  return row.length > 2 * columns.length
}

/** Which values of such a row were left out. */
export function leftOutOf(
  row: readonly Text[],
  columns: readonly ColumnDefinition[],
  { valueBytes, rowBytes }: RowLimits,
): ValidationError[] {
  return columns.flatMap(({ name }, place): ValidationError[] => {
    const bytes = Number(row[columns.length + 1 + place] ?? 0)
    if (bytes === 0) return []
    const [limit, option] =
      bytes > valueBytes
        ? [`more than the ${valueBytes} that a value may have`, 'valueBytes']
        : [`and its row more than the ${rowBytes} that a row may have`, 'rowBytes']
    return [
      {
        field: name,
        code: TOO_LARGE,
        message: `the value has ${bytes} bytes, ${limit}, so the row is kept without it; make it shorter in the source, or say \`limits: { ${option}: … }\` in the pipeline, then replay the row, which reads it again`,
      },
    ]
  })
}
