import type { OpenBlocks } from '#dray/block/block.ts'
import type { HeldKeys, MergeTarget } from '../../adapter.ts'
import { tableNameOf } from '../../table-name.ts'
import type { MysqlColumn } from '../describe.ts'
import { quote, quoteTable } from '../names.ts'
import { loadData } from './load-data.ts'
import { InsertLoader } from './load-inserts.ts'
import type { MergeSession } from './session.ts'
import { type StagedColumn, stagedColumnOf } from './staged-columns.ts'
import { StagingTable } from './staging-table.ts'
import { columnOf, readTargetTable } from './target-table.ts'

/** No table of a user's has this name. */
const ALIAS = 'dray_one_held'
/** Of a key's text, what its index in the temporary table holds. */
const PREFIX = 64
const WITHOUT_LENGTH = new Set([
  'tinytext',
  'text',
  'mediumtext',
  'longtext',
  'tinyblob',
  'blob',
  'mediumblob',
  'longblob',
])

/**
 * Holds the table's own keys that its index finds for those that are given, whatever their spelling: they are of its
 * types and collations, and each is found again by an index.
 */
export async function holdKeys(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  open: OpenBlocks,
): Promise<HeldKeys> {
  return holdIn(session, { table, key }, (columns) => hold(session, table, columns, open))
}

/** Holds the keys of the rows of a temporary table. */
export function holdSelected(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  from: string,
): Promise<HeldKeys> {
  return holdIn(session, { table, key }, async (columns) => {
    const name = await makeHeld(session, table, columns, quote('dray_ordinal'))
    const names = columns.map((column) => quote(column.name)).join(', ')
    await session.run(`INSERT INTO ${name} (${names}) SELECT ${names} FROM ${from}`, { signal: session.signal })
    return name
  })
}

async function holdIn(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  hold: (columns: readonly MysqlColumn[]) => Promise<string>,
): Promise<HeldKeys> {
  const target: MergeTarget = { table, columns: key, key, mode: 'insert' }
  const live = await readTargetTable(session, { ...target, key: [] })
  const columns = key.map((name) => columnOf(live, target, name))
  const mayBeImpossible = columns.some(({ kind }) => kind === 'date' || kind === 'datetime')
  if (mayBeImpossible) await session.run(TAKE_IMPOSSIBLE_DATES)
  try {
    const name = await hold(columns)
    const same = columns.map((one) => `${ALIAS}.${quote(one.name)} = ${quoteTable(table)}.${quote(one.name)}`)
    const hint = mayBeImpossible ? LOOK_UP_EACH : ''
    return { isHeld: `EXISTS (SELECT ${hint}1 FROM ${name} AS ${ALIAS} WHERE ${same.join(' AND ')})` }
  } finally {
    if (mayBeImpossible) await session.run(TAKE_NONE)
  }
}

/**
 * A key that is in both is one of both, though it is a zero date or 30 February, which another mode has let into the
 * table.
 */
const TAKE_IMPOSSIBLE_DATES = `SET @dray_mode = @@SESSION.sql_mode, SESSION sql_mode = CONCAT(REPLACE(REPLACE(@@SESSION.sql_mode, 'NO_ZERO_IN_DATE', ''), 'NO_ZERO_DATE', ''), ',ALLOW_INVALID_DATES')`
const TAKE_NONE = 'SET SESSION sql_mode = @dray_mode'
/** MySQL would write another table, in which each impossible date is a zero date. */
const LOOK_UP_EACH = '/*+ NO_SEMIJOIN() */ '

/** Returns the name of the table that has them. */
async function hold(
  session: MergeSession,
  table: string,
  columns: readonly MysqlColumn[],
  open: OpenBlocks,
): Promise<string> {
  const staged = columns.map((column) => stagedColumnOf(column, table, session.facts.isMariaDB))
  const staging = new StagingTable(session, tableNameOf(table), staged)
  await stage(session, staging, open)
  const name = await makeHeld(session, table, columns, staging.ordinal)
  const names = columns.map((column) => quote(column.name)).join(', ')
  await session.run(`INSERT INTO ${name} (${names}) ${found(table, staging, staged)}`, { signal: session.signal })
  await staging.drop()
  return name
}

/** Makes the table that has them, with the types and collations of the table's own columns, and an index. */
async function makeHeld(
  session: MergeSession,
  table: string,
  columns: readonly MysqlColumn[],
  ordinal: string,
): Promise<string> {
  const { schema } = tableNameOf(table)
  const name = `${schema === null ? '' : `${quote(schema)}.`}${quote('dray_held')}`
  await session.run(`DROP TEMPORARY TABLE IF EXISTS ${name}`)
  const names = columns.map((column) => quote(column.name)).join(', ')
  await session.run(
    `CREATE TEMPORARY TABLE ${name} (${ordinal} bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, KEY (${columns.map(indexed).join(', ')}))
     ENGINE=InnoDB SELECT ${names} FROM ${quoteTable(table)} LIMIT 0`,
  )
  return name
}

async function stage(session: MergeSession, staging: StagingTable, open: OpenBlocks): Promise<void> {
  await staging.create()
  if (session.facts.localInfile && (await loadData(session, staging, open)) !== null) return
  await staging.create()
  const { faults } = await new InsertLoader(session, staging).load(open)
  await staging.remove(faults.keys())
}

function indexed({ name, kind }: MysqlColumn): string {
  return WITHOUT_LENGTH.has(kind) ? `${quote(name)}(${PREFIX})` : quote(name)
}

function found(table: string, { table: from }: StagingTable, staged: readonly StagedColumn[]): string {
  const names = staged.map(({ name }) => `target.${quote(name)}`).join(', ')
  const same = staged.map(({ name, searchable }) => `target.${quote(name)} = ${searchable(`given.${quote(name)}`)}`)
  return `SELECT DISTINCT ${names} FROM ${from} AS given STRAIGHT_JOIN ${quoteTable(table)} AS target ON ${same.join(' AND ')}`
}
