import { createConnection } from 'mysql2/promise'
import { isRealMysql } from './mysql-server.ts'

/** A collation by which nothing is equal but itself, spaces at the end counted. */
export const NOPAD = isRealMysql ? 'utf8mb4_0900_bin' : 'utf8mb4_nopad_bin'

/** A table of the numbers from 1, in a column `seq`. */
export function numbersTo(last: number, alias = 'numbers'): string {
  if (!isRealMysql) return `seq_1_to_${last} AS ${alias}`
  return `JSON_TABLE(CONCAT('[0', REPEAT(',0', ${last - 1}), ']'), '$[*]' COLUMNS (seq FOR ORDINALITY)) AS ${alias}`
}

/** The number of the error of a violated CHECK. */
export const CHECK_VIOLATED = isRealMysql ? '3819' : '4025'

/** The name of a status that counts the temporary tables that a session has made. */
export const TEMPORARY_TABLES = isRealMysql ? 'Com_create_table' : 'Com_create_temporary_table'

/**
 * Has the server keep what it needs to know of a user's password, which MySQL learns from the password itself and Dray
 * shows over TLS only.
 */
export async function signInOnce(url: string): Promise<void> {
  const connection = await createConnection(url)
  await connection.end()
}
