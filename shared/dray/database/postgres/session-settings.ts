/**
 * What a server's, database's or role's settings would change in what a statement reads, writes or is allowed, as each
 * session needs it. Those that PgBouncer follows, or that JDBC sends as well, are in the start-up packet
 * (`session.ts`).
 */
const SETTINGS: Readonly<Record<string, string>> = {
  // How values are written as text.
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  // NULL in an array, by which rows are bound, would be the text.
  array_nulls: 'on',
  // `= NULL` would find rows.
  transform_null_equals: 'off',
  // A backslash in a literal would be an escape.
  standard_conforming_strings: 'on',
  // The names of types would be quoted.
  quote_all_identifiers: 'off',
  // XML without a root would be refused.
  xmloption: 'content',
  // An index of the kind GIN would give some of the rows.
  gin_fuzzy_search_limit: '0',
  // A row at fault would end the session.
  exit_on_error: 'off',
  // The other side is read meanwhile.
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
}

/** Of no use within a transaction, or not of every version. */
const OF_A_SESSION: Readonly<Record<string, string>> = {
  idle_session_timeout: '0',
  transaction_timeout: '0',
  default_transaction_read_only: 'off',
}

/** Of a transaction alone: others that use a pooler's session would have rows refused, or money in another form. */
const OF_A_TRANSACTION: Readonly<Record<string, string>> = { row_security: 'off', lc_monetary: 'C' }

const list = (settings: Readonly<Record<string, string>>) =>
  Object.entries(settings)
    .map(([name, value]) => `('${name}', '${value}')`)
    .join(', ')

/**
 * Makes the settings those of the session, where it is the server's own (`pid`): one of a pooler is given to others,
 * too, so that there each transaction has them alone.
 */
export function settingsOfSession(pid: number): string {
  return `SELECT set_config(name, value, false) FROM (VALUES ${list({ ...SETTINGS, ...OF_A_SESSION })}) AS own (name, value)
    WHERE current_setting(name, true) <> value AND pg_backend_pid() = ${pid}`
}

/** Makes them those of the transaction. */
export const SETTINGS_OF_TRANSACTION = Object.entries({ ...SETTINGS, ...OF_A_TRANSACTION })
  .map(([name, value]) => `SET LOCAL ${name} = '${value}'`)
  .join('; ')
