/** In s; as long as one database is read while the other waits. A longer limit of the server's holds. */
const PATIENCE = 21_600
const EVERY_ROW = '18446744073709551615'

/**
 * What a server's settings would change in what a statement reads or writes, as each session needs it. In one
 * statement, when the session is opened; a proxy that shares connections pins it to the server's.
 */
const VARIABLES = [
  // Rows that would be left out, or refused to be joined.
  `sql_select_limit=${EVERY_ROW}`,
  `max_join_size=${EVERY_ROW}`,
  'sql_big_selects=1',
  'sql_safe_updates=0',
  // `IS NULL` would find the row that was inserted last.
  'sql_auto_is_null=0',
  // COMMIT would begin another transaction, or end the session.
  'completion_type=0',
  'autocommit=1',
  // The other side is read meanwhile.
  `net_write_timeout=GREATEST(@@net_write_timeout, ${PATIENCE})`,
  `net_read_timeout=GREATEST(@@net_read_timeout, ${PATIENCE})`,
  `wait_timeout=GREATEST(@@wait_timeout, ${PATIENCE})`,
  // char(n) would be read with its blanks, and an empty text be written as NULL.
  `sql_mode=TRIM(BOTH ',' FROM REPLACE(REPLACE(CONCAT(',', @@sql_mode, ','), ',PAD_CHAR_TO_FULL_LENGTH,', ','), ',EMPTY_STRING_IS_NULL,', ','))`,
]

/**
 * MariaDB alone has tables whose former states can be read, by default as well; other servers take it for a comment.
 */
const OF_MARIADB = '/*M!100304 , system_versioning_asof=DEFAULT */'

export const SET_VARIABLES = `SET SESSION ${VARIABLES.join(', SESSION ')}${OF_MARIADB}`
