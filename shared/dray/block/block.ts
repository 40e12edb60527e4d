/**
 * A value as the database's own text; null is SQL NULL. Binary values are lower-case hexadecimal behind `\x`,
 * as PostgreSQL writes them; booleans are `t`/`f` on PostgreSQL and `1`/`0` elsewhere.
 */
export type Text = string | null

/** Whole rows of PostgreSQL COPY text. The same shape as a staged block. */
export interface CopyBlock {
  readonly bytes: Buffer
  readonly rows: number
}

/** Gives the same rows from the start, each time it is called. */
export type OpenBlocks = () => AsyncIterable<CopyBlock> | Iterable<CopyBlock>
