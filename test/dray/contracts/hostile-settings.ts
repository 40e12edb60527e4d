import { isRealMysql } from '#test/services/mysql-server.ts'

/** A setting that a server, a database or a user may give to a session, as SQL. */
export interface Setting {
  readonly name: string
  readonly value: string
}

/** A list of `name = value`. */
function settings(text: string): readonly Setting[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const at = line.indexOf(' = ')
      return { name: line.slice(0, at), value: line.slice(at + 3) }
    })
}

/**
 * Of PostgreSQL 18: what changes how values are written and read, which rows are found, what a statement may do, and
 * some of what should make no difference. docs/sessions.md says what becomes of each.
 */
export const POSTGRES_HOSTILE = settings(`
  TimeZone = 'America/New_York'
  DateStyle = 'SQL, DMY'
  IntervalStyle = 'sql_standard'
  bytea_output = 'escape'
  extra_float_digits = '-15'
  array_nulls = 'off'
  transform_null_equals = 'on'
  standard_conforming_strings = 'off'
  backslash_quote = 'off'
  escape_string_warning = 'on'
  quote_all_identifiers = 'on'
  xmloption = 'document'
  xmlbinary = 'hex'
  timezone_abbreviations = 'India'
  client_encoding = 'LATIN1'
  client_min_messages = 'debug1'
  default_transaction_read_only = 'on'
  default_transaction_isolation = 'serializable'
  default_transaction_deferrable = 'on'
  default_text_search_config = 'pg_catalog.simple'
  default_tablespace = 'pg_default'
  default_toast_compression = 'pglz'
  gin_fuzzy_search_limit = '1'
  exit_on_error = 'on'
  check_function_bodies = 'off'
  session_replication_role = 'replica'
  row_security = 'on'
  plan_cache_mode = 'force_generic_plan'
  constraint_exclusion = 'on'
  enable_seqscan = 'off'
  enable_hashagg = 'off'
  enable_sort = 'off'
  debug_parallel_query = 'on'
  jit_above_cost = '0'
  work_mem = '64kB'
  temp_buffers = '800kB'
  synchronize_seqscans = 'on'
  synchronous_commit = 'off'
  idle_in_transaction_session_timeout = '20s'
  idle_session_timeout = '20s'
  transaction_timeout = '20s'
  lock_timeout = '20s'
  statement_timeout = '20s'
`)

/** Of MariaDB and MySQL, beside `sql_mode`. */
const EITHER = `
  time_zone = '+05:30'
  sql_select_limit = 3
  max_join_size = 10
  sql_big_selects = 0
  sql_safe_updates = 1
  sql_auto_is_null = 1
  sql_notes = 0
  sql_warnings = 1
  max_error_count = 0
  completion_type = 'CHAIN'
  autocommit = 0
  foreign_key_checks = 0
  unique_checks = 0
  innodb_strict_mode = 0
  innodb_lock_wait_timeout = 1
  lock_wait_timeout = 5
  net_read_timeout = 1
  net_write_timeout = 1
  net_buffer_length = 1024
  wait_timeout = 1
  interactive_timeout = 1
  character_set_server = 'latin1'
  character_set_database = 'latin1'
  character_set_client = 'latin1'
  character_set_connection = 'latin1'
  character_set_results = 'latin1'
  collation_connection = 'utf8mb4_bin'
  collation_server = 'latin1_bin'
  auto_increment_increment = 3
  auto_increment_offset = 2
  big_tables = 1
  tmp_table_size = 1024
  max_heap_table_size = 16384
  sort_buffer_size = 32768
  join_buffer_size = 128
  default_storage_engine = 'MyISAM'
  default_tmp_storage_engine = 'MyISAM'
  div_precision_increment = 0
  default_week_format = 3
  explicit_defaults_for_timestamp = 0
  group_concat_max_len = 4
  lc_messages = 'ja_JP'
  lc_time_names = 'ja_JP'
  low_priority_updates = 1
  optimizer_switch = 'index_merge=off,mrr=on,mrr_cost_based=off,materialization=off,semijoin=off,derived_merge=off'
  optimizer_search_depth = 0
  max_seeks_for_key = 1
  eq_range_index_dive_limit = 1
  session_track_schema = 1
  session_track_state_change = 1
  session_track_system_variables = '*'
  session_track_transaction_info = 'CHARACTERISTICS'
  sql_buffer_result = 1
  sql_quote_show_create = 0
  updatable_views_with_limit = 0
  timestamp = 1000000000
  binlog_row_image = 'MINIMAL'
`

const MARIADB = `
  max_sort_length = 64
  tx_isolation = 'READ-UNCOMMITTED'
  tx_read_only = 1
  check_constraint_checks = 0
  system_versioning_asof = '2020-01-01 00:00:00'
  system_versioning_insert_history = 1
  default_regex_flags = 'DOTALL,EXTENDED,MULTILINE'
  old_mode = 'ZERO_DATE_TIME_CAST,NO_DUP_KEY_WARNINGS_WITH_IGNORE'
  note_verbosity = ''
  sql_if_exists = 1
  column_compression_threshold = 0
  innodb_snapshot_isolation = 0
  in_predicate_conversion_threshold = 2
  standard_compliant_cte = 0
  max_statement_time = 20
  idle_transaction_timeout = 20
  idle_readonly_transaction_timeout = 20
  idle_write_transaction_timeout = 20
  max_recursive_iterations = 1
  join_cache_level = 8
  use_stat_tables = 'PREFERABLY'
`

const MYSQL = `
  max_sort_length = 4
  transaction_isolation = 'READ-UNCOMMITTED'
  transaction_read_only = 1
  max_execution_time = 20000
  default_collation_for_utf8mb4 = 'utf8mb4_general_ci'
  sql_require_primary_key = 1
  show_gipk_in_create_table_and_information_schema = 0
  session_track_gtids = 'OWN_GTID'
  use_secondary_engine = 'ON'
  windowing_use_high_precision = 0
  range_optimizer_max_mem_size = 1
  internal_tmp_mem_storage_engine = 'MEMORY'
  set_operations_buffer_size = 16384
  restrict_fk_on_non_standard_key = 0
  end_markers_in_json = 1
  cte_max_recursion_depth = 1
  information_schema_stats_expiry = 31536000
  default_table_encryption = 0
  resultset_metadata = 'FULL'
  xa_detach_on_prepare = 0
`

/** All that can be given at once; `sql_mode` comes in several. */
export const MYSQL_HOSTILE: readonly Setting[] = settings(EITHER + (isRealMysql ? MYSQL : MARIADB))

const MODES_OF_EITHER = [
  '',
  'ALLOW_INVALID_DATES',
  'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE,REAL_AS_FLOAT,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION,NO_ZERO_DATE,NO_ZERO_IN_DATE,ONLY_FULL_GROUP_BY,PAD_CHAR_TO_FULL_LENGTH',
]
const MODES = isRealMysql
  ? [...MODES_OF_EITHER, 'ANSI,TIME_TRUNCATE_FRACTIONAL,PAD_CHAR_TO_FULL_LENGTH', 'TRADITIONAL']
  : [
      ...MODES_OF_EITHER,
      'ORACLE,EMPTY_STRING_IS_NULL',
      'MSSQL,SIMULTANEOUS_ASSIGNMENT,TIME_ROUND_FRACTIONAL,EMPTY_STRING_IS_NULL',
      'MYSQL323,NO_TABLE_OPTIONS,NO_FIELD_OPTIONS,NO_KEY_OPTIONS,MAXDB,POSTGRESQL,DB2',
    ]

/** What cannot be given beside others: they would hide each other. */
export const MYSQL_ALONE: readonly Setting[] = [
  ...MODES.map((mode) => ({ name: 'sql_mode', value: `'${mode}'` })),
  ...(isRealMysql ? settings('sql_generate_invisible_primary_key = 1') : []),
]
