const EVERY_ROW = '18446744073709551615'
/** In s; as long as one database is read while the other waits. A longer limit of the server's holds. */
const PATIENCE = 21_600
/**
 * In s: longer than a load that is still at work would keep the fence, in most cases. A shorter limit of the server's
 * holds.
 */
const LOCK_WAIT = 300
/** As many warnings of one statement as a server keeps. */
const WARNINGS = 65_535

/** MySQL takes no other type than the variable's own. */
const atLeast = (name: string) => `${name}=CAST(GREATEST(@@${name}, ${PATIENCE}) AS UNSIGNED)`

/** char(n) would be read with its blanks, and an empty text be written as NULL. */
const REMOVED_MODES = ['PAD_CHAR_TO_FULL_LENGTH', 'EMPTY_STRING_IS_NULL']
/** What does not fit is refused, and 0 is a value of an AUTO_INCREMENT column like any other. */
const ADDED_MODES = ['STRICT_ALL_TABLES', 'NO_AUTO_VALUE_ON_ZERO']

const kept = REMOVED_MODES.reduce(
  (modes, mode) => `REPLACE(${modes}, ',${mode},', ',')`,
  `CONCAT(',', @@sql_mode, ',')`,
)

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
  // TIMESTAMP columns would be read and written in another zone.
  "time_zone='+00:00'",
  // A value that was changed would not be told of.
  'sql_notes=1',
  `innodb_lock_wait_timeout=CAST(LEAST(@@innodb_lock_wait_timeout, ${LOCK_WAIT}) AS UNSIGNED)`,
  // The other side is read meanwhile.
  atLeast('net_write_timeout'),
  atLeast('net_read_timeout'),
  atLeast('wait_timeout'),
  `sql_mode=TRIM(BOTH ',' FROM CONCAT(${kept}, '${ADDED_MODES.join(',')}'))`,
]

/**
 * MariaDB alone has tables whose former states can be read, by default as well, and lets everybody ask for all
 * warnings; other servers take it for a comment.
 */
const OF_MARIADB = `/*M! , SESSION max_error_count=${WARNINGS} *//*M!100304 , SESSION system_versioning_asof=DEFAULT */`

/** A bound text and one that is written in the statement are of one collation, the character set's own. */
const NAMES = 'NAMES utf8mb4'

export const SET_VARIABLES = `SET ${NAMES}, SESSION ${VARIABLES.join(', SESSION ')}${OF_MARIADB}`
