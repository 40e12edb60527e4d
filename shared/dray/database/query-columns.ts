import { ConfigurationError } from '#dray/errors.ts'
import type { LiveColumn } from './adapter.ts'

/** A column of a query, of which no more is known than its name and its type. */
export function queryColumn(name: string, type: string): LiveColumn {
  return { name, type, nullable: true, hasDefault: false, isComputed: false }
}

/** The query as a table without its rows. Its own end has a line apart, should it be a comment. */
export function withoutRows(sql: string): string {
  return `SELECT * FROM (${sql.replace(/[\s;]+$/, '')}\n) dray_query LIMIT 0`
}

/** What the database says against a query, unless it is a fault that passes. */
export function queryRefused(error: Error): Error {
  if (error.name === 'Transient' || error instanceof ConfigurationError) return error
  return new ConfigurationError(error.message, { cause: error })
}
