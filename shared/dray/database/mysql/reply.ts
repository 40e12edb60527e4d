import type { ResultSetHeader } from 'mysql2'
import type { Text } from '#dray/block/block.ts'
import type { QueryResult } from '../adapter.ts'
import { hexadecimal, type TextColumns } from './values.ts'

/** What the server answers to one statement. */
export interface Reply extends QueryResult {
  readonly warnings: number
  /** For INSERT … SELECT: rows given, rows that were there and changed; for UPDATE: rows met, rows changed. */
  readonly counts: { readonly records: number; readonly duplicates: number }
}

const NO_COUNTS = { records: 0, duplicates: 0 }

/** The reply that mysql2's result is, once its columns are known. */
export function replyOf(result: unknown, { names, binary }: TextColumns): Reply {
  // A procedure answers with an array of results and a header; what is read of it is its last result.
  const rows = rowsOf(result, names.length > 0)
  if (rows !== null) {
    const texts = binary.length === 0 ? (rows as Text[][]) : rows.map((row) => hexadecimal(row, binary))
    return { columns: names, rows: texts, affected: 0, warnings: 0, counts: NO_COUNTS }
  }
  const header = (Array.isArray(result) ? result.at(-1) : result) as ResultSetHeader
  const [records = 0, duplicates = 0] = (header.info.match(/\d+/g) ?? []).map(Number)
  return {
    columns: [],
    rows: [],
    affected: header.affectedRows,
    warnings: header.warningStatus,
    counts: { records, duplicates },
  }
}

function rowsOf(result: unknown, hasColumns: boolean): (Text | Buffer)[][] | null {
  if (!hasColumns || !Array.isArray(result)) return null
  const isCall = result.length > 0 && !Array.isArray(result.at(-1))
  return isCall ? (result.findLast((part) => Array.isArray(part)) ?? null) : result
}

/** The statement holds values, which must not get into logs with the error. */
export function withoutStatement(error: Error): Error {
  delete (error as { sql?: string }).sql
  return error
}
