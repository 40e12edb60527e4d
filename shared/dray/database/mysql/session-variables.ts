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

/** As long as a key can be; and so many texts of that length have to have room. */
const SORTED_BYTES = 3_072
const SORTED_AT_ONCE = 32

/** MySQL takes no other type than the variable's own. */
const atLeast = (name: string) => `${name}=CAST(GREATEST(@@${name}, ${PATIENCE}) AS UNSIGNED)`

/**
 * char(n) would be read with its blanks, an empty text be written as NULL, and in Oracle's ways CONCAT would take NULL
 * for an empty text, and DATE be a type with a time.
 */
const REMOVED_MODES = ['PAD_CHAR_TO_FULL_LENGTH', 'EMPTY_STRING_IS_NULL', 'ORACLE']
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
  'sql_buffer_result=0',
  // `IS NULL` would find the row that was inserted last.
  'sql_auto_is_null=0',
  // COMMIT would begin another transaction, or end the session.
  'completion_type=0',
  'autocommit=1',
  // TIMESTAMP columns would be read and written in another zone.
  "time_zone='+00:00'",
  // A value that was changed would not be told of, or in another language.
  'sql_notes=1',
  "lc_messages='en_US'",
  // Rows without their parent would be taken, and duplicates of a unique key.
  'foreign_key_checks=1',
  'unique_checks=1',
  // The clock would stand still.
  'timestamp=DEFAULT',
  // Texts that begin alike would be sorted as equal.
  `max_sort_length=CAST(GREATEST(@@max_sort_length, ${SORTED_BYTES}) AS UNSIGNED)`,
  `sort_buffer_size=CAST(GREATEST(@@sort_buffer_size, ${SORTED_BYTES * SORTED_AT_ONCE}) AS UNSIGNED)`,
  `innodb_lock_wait_timeout=CAST(LEAST(@@innodb_lock_wait_timeout, ${LOCK_WAIT}) AS UNSIGNED)`,
  // The other side is read meanwhile.
  atLeast('net_write_timeout'),
  atLeast('net_read_timeout'),
  atLeast('wait_timeout'),
  `sql_mode=TRIM(BOTH ',' FROM CONCAT(${kept}, '${ADDED_MODES.join(',')}'))`,
]

/**
 * MariaDB alone has tables whose former states can be read, by default as well, lets everybody ask for all warnings,
 * and makes a join of a list, which finds nothing under some switches; other servers take it for a comment.
 */
const OF_MARIADB = `/*M! , SESSION max_error_count=${WARNINGS} *//*M!100304 , SESSION system_versioning_asof=DEFAULT *//*M!100318 , SESSION in_predicate_conversion_threshold=0 */`

/** A bound text and one that is written in the statement are of one collation, the character set's own. */
const NAMES = 'NAMES utf8mb4'

/** What not every version has: the variable, its value, and which values of the server's are as good. */
const OF_SOME_VERSIONS: ReadonlyMap<string, readonly [own: string, isFine: (value: string) => boolean]> = new Map([
  // A value that was changed would not be told of.
  ['note_verbosity', ["'basic'", (value) => value.includes('basic')]],
  // What others have not committed would be read.
  ['tx_isolation', ["'REPEATABLE-READ'", isCommitted]],
  ['transaction_isolation', ["'REPEATABLE-READ'", isCommitted]],
  // What is no load would be refused.
  ['tx_read_only', ['0', (value) => value === 'OFF']],
  ['transaction_read_only', ['0', (value) => value === 'OFF']],
  // Rows that a CHECK forbids would be taken.
  ['check_constraint_checks', ['1', (value) => value === 'ON']],
  // A table would be taken for one that may be there.
  ['sql_if_exists', ['0', (value) => value === 'OFF']],
  // A pattern would match lines of a text.
  ['default_regex_flags', ["''", (value) => value === '']],
  // Another engine, to which changes come later, would be read.
  ['use_secondary_engine', ["'OFF'", (value) => value === 'OFF']],
  // The other side is read meanwhile.
  ['max_execution_time', ['0', isZero]],
  ['max_statement_time', ['0', isZero]],
  ['idle_transaction_timeout', ['0', isZero]],
  ['idle_readonly_transaction_timeout', ['0', isZero]],
  ['idle_write_transaction_timeout', ['0', isZero]],
])

function isCommitted(value: string): boolean {
  return value !== 'READ-UNCOMMITTED'
}

function isZero(value: string): boolean {
  return Number(value) === 0
}

export const NAMES_OF_SOME_VERSIONS: readonly string[] = [...OF_SOME_VERSIONS.keys()]

/** The statement that sets those which the session has otherwise; null where there is none. */
export function setOthers(variables: ReadonlyMap<string, string>): string | null {
  const others = [...OF_SOME_VERSIONS].flatMap(([name, [own, isFine]]) => {
    const value = variables.get(name)
    return value === undefined || isFine(value) ? [] : [`SESSION ${name}=${own}`]
  })
  return others.length === 0 ? null : `SET ${others.join(', ')}`
}

export const SET_VARIABLES = `SET ${NAMES}, SESSION ${VARIABLES.join(', SESSION ')}${OF_MARIADB}`
