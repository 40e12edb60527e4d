/** A column of the target, and the values of it that rows of a pipeline have, as texts. */
export interface OwnedValues {
  readonly column: string
  readonly texts: readonly string[]
}

/** The table that a pipeline writes. */
export interface WrittenTable {
  readonly database: string
  readonly table: string
  /** Why no other pipeline may write it: what this one does to rows that it has not loaded. Null where none would. */
  readonly alone: string | null
  /** Which rows of the table are this pipeline's; any where it is not said. */
  readonly where?: readonly OwnedValues[] | null
}
