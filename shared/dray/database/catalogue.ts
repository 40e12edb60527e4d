import type { Text } from '#dray/block/block.ts'

export type Query = (sql: string, parameters?: readonly (string | null)[]) => Promise<readonly (readonly Text[])[]>

/** A table or a view, as a list of them names it. */
export interface ListedTable {
  /** `table`, or `schema.table` where the connection does not find it by its name alone. */
  readonly table: string
  readonly isView: boolean
  /** As far as the catalogue knows, which may be old; null where it does not. */
  readonly rows: number | null
  /** The same of its size. */
  readonly bytes: number | null
}

/** What a column has beside its type. */
export interface ColumnDetails {
  readonly comment: string | null
  /** The database numbers it. */
  readonly isNumbered: boolean
  /** It is a part of a foreign key. */
  readonly refers: boolean
  /** The database itself sets it at each change of a row. */
  readonly movesOn: boolean
}

export interface TableDetails {
  readonly comment: string | null
  readonly isView: boolean
  /** It is read with the rows of tables that inherit it, so that its key may be there twice. */
  readonly isInherited: boolean
  readonly columns: ReadonlyMap<string, ColumnDetails>
  /** The columns that an index of every row begins with. */
  readonly indexed: ReadonlySet<string>
}

/** What an engine's catalogue says of tables beyond what a connection describes. */
export interface CatalogueCapabilities {
  list(query: Query): Promise<readonly ListedTable[]>
  /** Names of tables that the user sees and may not read. An engine that shows nobody such tables has none. */
  refused?(query: Query): Promise<readonly string[]>
  details(query: Query, table: string): Promise<TableDetails>
}

/** Details of columns from rows of `name, comment, numbered, refers, moves on`, where `1` and `t` are true. */
export function columnDetails(rows: readonly (readonly Text[])[]): Map<string, ColumnDetails> {
  const isTrue = (text: Text | undefined) => text === '1' || text === 't'
  return new Map(
    rows.map(([name, comment, isNumbered, refers, movesOn]) => [
      name as string,
      {
        comment: comment || null,
        isNumbered: isTrue(isNumbered),
        refers: isTrue(refers),
        movesOn: isTrue(movesOn),
      },
    ]),
  )
}
