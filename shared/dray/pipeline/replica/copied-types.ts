import type { Database } from '#dray/active-record/database.ts'
import { type FieldType, typeOf } from '#dray/active-record/field-type.ts'
import type { Adapter, LiveColumn, LiveTable } from '#dray/database/adapter.ts'
import type { CopiedColumn, CopiedType } from '#dray/database/copied-types.ts'
import type { Replica } from '#dray/pipeline/declare/replica.ts'
import type { HeldTypes } from '#dray/pipeline/plan/held-types.ts'
import type { ReadTable } from './read-table.ts'

export interface CopiedTypes {
  /** By the column's name in the source; none between unlike engines. */
  readonly types: ReadonlyMap<string, CopiedType>
  /** That of texts of the key, where the target's own takes some of them for one. */
  readonly collation: string | null
}

interface Copied {
  readonly source: string
  readonly columns: readonly CopiedColumn[]
  readonly key: readonly string[]
  readonly read: ReadTable
  readonly adapter: Adapter
  readonly live: LiveTable | null
}

/** The types of the source's columns that the copy has as they are. */
export async function copiedTypes(
  { from, into }: Replica,
  { source, columns, key, read, adapter, live }: Copied,
): Promise<CopiedTypes> {
  const rowsOf = (database: Database) => async (sql: string, parameters: readonly string[]) =>
    (await database.query(sql, parameters)).rows
  const collation = live === null ? ((await adapter.schema.exactCollation?.(rowsOf(into))) ?? null) : null
  if (read.adapter.schema !== adapter.schema) return { types: new Map(), collation }
  const sides = { from: rowsOf(from), into: rowsOf(into) }
  return { types: await adapter.schema.copiedTypes({ table: source, columns, key, ...sides }), collation }
}

/** Whether a column of the target that is there has its source's own type. */
export function isCopied(copied: CopiedType | undefined, there: LiveColumn, { alter }: Adapter): boolean {
  return copied !== undefined && alter.isSame(copied.type, there.type)
}

/** One type on both sides: the target takes each value as it was read. */
export function asItIs([type = typeOf('text')]: readonly FieldType[], { type: native }: LiveColumn): HeldTypes {
  return { source: type, target: { ...type, native } }
}
