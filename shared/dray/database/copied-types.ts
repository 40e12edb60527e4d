import type { FieldKind } from './field-kind.ts'
import type { ReadRows } from './reading.ts'

/** The type of a column that a copy within one engine has as its source has it. */
export interface CopiedType {
  /** As the catalogue names it. */
  readonly type: string
  /** As CREATE TABLE writes it, without numbering, defaults and expressions. */
  readonly made: string
}

export interface CopiedColumn {
  readonly name: string
  /** As the catalogue names it. */
  readonly type: string
  /** What holds its values. */
  readonly kind: FieldKind
}

/** A table whose columns are copied; both sides are of one engine. */
export interface CopiedColumns {
  readonly table: string
  readonly columns: readonly CopiedColumn[]
  readonly key: readonly string[]
  readonly from: ReadRows
  readonly into: ReadRows
}

/** The types that the target has as well, and means the same by, by the column's name; others go by their kinds. */
export type CopyTypes = (copied: CopiedColumns) => Promise<ReadonlyMap<string, CopiedType>>
