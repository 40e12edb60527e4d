/** The table that a pipeline writes. */
export interface WrittenTable {
  readonly database: string
  readonly table: string
  /** Why no other pipeline may write it: what this one does to rows that it has not loaded. Null where none would. */
  readonly alone: string | null
}
