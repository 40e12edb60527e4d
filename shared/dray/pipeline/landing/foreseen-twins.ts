import { type RawBuilder, sql } from 'kysely'
import { pastedSql } from '#dray/active-record/pasted-sql.ts'
import { columnName, readColumn, tableName, where } from '#dray/active-record/sql.ts'
import { type Timestamp, timestampOf } from '#dray/active-record/values.ts'
import type { Text } from '#dray/block/block.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import { withDeadline } from '#dray/database/deadline.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { cursorName, cursorValue } from '#dray/pipeline/plan/cursor-value.ts'
import { isKeyDeclaredAlone, isView } from '#dray/pipeline/plan/declared-key.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { type SourceTable, sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { type Window, windowCondition } from '#dray/pipeline/plan/window.ts'
import { haveAges } from '#dray/pipeline/rows/age.ts'
import { RowSizes } from '#dray/pipeline/rows/large-values.ts'
import { keyPlaces } from '#dray/pipeline/rows/taken-over-key.ts'
import { hasKey } from '#dray/pipeline/texts/key-texts.ts'
import type { Services } from '../services.ts'
import { Twins } from './twin-rows.ts'

type Sql = RawBuilder<unknown>

/** A look takes no longer; Load looks at the rows of each partition, however many they are. */
const LOOK_MILLISECONDS = 20_000

/** Keys that several rows have, of which the rows are compared. */
const COMPARED_KEYS = 20
const COMPARED_ROWS = 1_000
const SAID_KEYS = 3

/**
 * At Plan, of a source that no index holds to the key which its model declares: throws `Terminal` for rows at which
 * Load would stop, and says how many have NULL in the key. Load compares all rows; here it is those of a few keys.
 */
export async function lookForTwins(
  pipeline: Pipeline,
  window: Window | null,
  { signal, now }: Pick<Services, 'signal' | 'now'>,
): Promise<readonly string[]> {
  const { extract, load } = pipeline
  const { source } = extract
  if (load.by.length === 0 || source.definition.primaryKey.length === 0) return []
  const deadline = AbortSignal.timeout(LOOK_MILLISECONDS)
  const look = () =>
    source.database.withConnection(async (connection, adapter) => {
      if (!isKeyDeclaredAlone(source.definition, await connection.describe(source.definition.table))) return []
      const table = await sourceTable(extract, connection, adapter)
      const conditions = [
        ...ownRows(extract, table),
        ...(window === null ? [] : [windowCondition(extract, window, table)]),
      ]
      const looking = new Look(pipeline, { connection, table, conditions })
      const missing = await looking.notesOfMissing()
      if (!(await isView(source))) return missing
      const shared = await looking.notesOfShared(timestampOf(new Date(now()).toISOString()))
      const isPart = source.definition.query !== undefined && window !== null
      return [...missing, ...shared, ...(isPart ? await looking.notesOfOthers() : [])]
    })
  try {
    return await withDeadline(AbortSignal.any([signal, deadline]), look)
  } catch (error) {
    if (signal.aborted || !deadline.aborted || !(error instanceof TransientError)) throw error
    return [
      `whether rows of ${nameOf(pipeline)} share the key which its model declares (${keyNames(pipeline)}), or have NULL in it, was not found out in ${LOOK_MILLISECONDS / 1000} s; a run stops at rows of a view that share one and differ`,
    ]
  }
}

function nameOf({ extract }: Pipeline): string {
  const { database, table } = extract.source.definition
  return `${database}.${table}`
}

function keyNames({ extract }: Pipeline): string {
  return extract.source.definition.primaryKey.map(({ column }) => column).join(', ')
}

interface Rows {
  readonly connection: Connection
  readonly table: SourceTable
  /** Of the rows that are looked at. */
  readonly conditions: readonly Sql[]
}

class Look {
  readonly #pipeline: Pipeline
  readonly #rows: Rows
  readonly #adapter: Adapter

  constructor(pipeline: Pipeline, rows: Rows) {
    this.#pipeline = pipeline
    this.#rows = rows
    this.#adapter = rows.table.adapter
  }

  async notesOfMissing(): Promise<readonly string[]> {
    const names = this.#definition.primaryKey.map(({ column }) => column)
    if (this.#rows.table.columns.every(({ name, nullable }) => !nullable || !names.includes(name))) return []
    const isMissing = this.#isMissing()
    const from = sql`from ${tableName(this.#definition)}`
    const [row] = await this.#query(sql`select count(*) ${from}${where([...this.#rows.conditions, isMissing])}`)
    const rows = Number(row?.[0])
    if (rows === 0) return []
    const [some, they] = rows === 1 ? ['1 row', 'has'] : [`${rows} rows`, 'have']
    return [
      `${some} of ${nameOf(this.#pipeline)} ${they} NULL in the key (${keyNames(this.#pipeline)}) which its model declares, so ${rows === 1 ? 'it goes' : 'they go'} to the quarantine in each run where the target's key is made of it; fill it in, or leave such rows out (where); they are listed by ${this.#pasted(sql`select * ${from} where ${isMissing}`)}`,
    ]
  }

  async notesOfShared(startedAt: Timestamp): Promise<readonly string[]> {
    const { primaryKey } = this.#definition
    const conditions = [...this.#rows.conditions, sql`not (${this.#isMissing()})`]
    const key = sql.join(primaryKey.map((column) => readColumn(this.#adapter, column)))
    const shared = await this.#query(
      sql`select ${key}, count(*) over () ${this.#groups(conditions)} order by ${sql.join(primaryKey.map(columnName))} limit ${sql.raw(String(COMPARED_KEYS))}`,
    )
    if (shared.length === 0) return []
    const keys = shared.map((row) => row.slice(0, -1))
    const twins = await this.#twinsOf(keys, conditions, startedAt)
    const count = Number(shared[0]?.at(-1))
    if (twins.length > 0) throw this.#stopped(twins, count)
    if (count <= keys.length) return []
    return [
      `${count} keys (${keyNames(this.#pipeline)}) of ${nameOf(this.#pipeline)} have several rows each, and those of ${keys.length} were compared: the newest one counts, or they are the same; where rows of another one differ and none is the newer one, the run stops when it loads them`,
    ]
  }

  /** Of a query under a cursor: rows that share their key with one of the window, which it may be about to replace. */
  async notesOfOthers(): Promise<readonly string[]> {
    const { extract } = this.#pipeline
    const { primaryKey } = this.#definition
    const keys = sql.join(primaryKey.map(columnName))
    const from = sql`from ${tableName(this.#definition)}`
    const isNext = sql`(${keys}) in (select ${keys} ${from}${where([...this.#rows.conditions, sql`not (${this.#isMissing()})`])})`
    const shared = sql`select 1 as ${sql.id('dray_key')} ${from}${where([...ownRows(extract, this.#rows.table), isNext])} group by ${keys} having count(*) > 1`
    const [row] = await this.#query(sql`select count(*) from (${shared}) as ${sql.id('dray_keys')}`)
    const count = Number(row?.[0])
    if (count === 0) return []
    const [key, have] = count === 1 ? ['1 key', 'has'] : [`${count} keys`, 'have']
    return [
      `${key} (${keyNames(this.#pipeline)}) of this window ${have} several rows in the query ${nameOf(this.#pipeline)}, and of each key the newest row by the cursor is in the target, in the place of the others: where these are different things, as of a join that multiplies rows, make the key whole by primaryKey() of more fields`,
    ]
  }

  get #definition() {
    return this.#pipeline.extract.source.definition
  }

  #isMissing(): Sql {
    const columns = this.#definition.primaryKey.map((column) => this.#adapter.isNull(columnName(column)))
    return sql`(${sql.join(columns, sql` or `)})`
  }

  /** Keys of several rows; of a cursor that says which is the newest, several rows of one moment. */
  #groups(conditions: readonly Sql[]): Sql {
    const { extract } = this.#pipeline
    const by = [...this.#definition.primaryKey.map(columnName), ...(haveAges(extract) ? [cursorValue(extract)] : [])]
    return sql`from ${tableName(this.#definition)}${where(conditions)} group by ${sql.join(by)} having count(*) > 1`
  }

  async #twinsOf(keys: readonly (readonly Text[])[], conditions: readonly Sql[], startedAt: Timestamp) {
    const { limits } = this.#pipeline
    const { columns, primaryKey } = this.#definition
    const { table } = this.#rows
    const { fits } = new RowSizes(columns, table, limits)
    const isKey = hasKey(this.#adapter, primaryKey, keys, table.columns)
    const read = sql.join(columns.map((column) => readColumn(this.#adapter, column)))
    const rows = await this.#query(
      sql`select ${read} from ${tableName(this.#definition)}${where([...conditions, isKey, fits])} limit ${sql.raw(String(COMPARED_ROWS))}`,
    )
    const twins = new Twins(this.#pipeline, startedAt)
    const places = keyPlaces(this.#pipeline)
    for (const row of rows) twins.add(row, (texts) => places.map((place) => texts[place] ?? null))
    return twins.keys
  }

  #stopped(twins: readonly string[], count: number): TerminalError {
    const { name, extract, load } = this.#pipeline
    const target = `${load.target.definition.database}.${load.target.definition.table}`
    const [has, each] = count === 1 ? ['1 key', 'has'] : [`${count} keys`, 'have']
    const moment = haveAges(extract) ? ` of one ${cursorName(extract)}` : ''
    const said = twins.slice(0, SAID_KEYS).map((key) => `(${key})`)
    const more = twins.length > said.length ? ' and others' : ''
    const list = sql`select ${sql.join(this.#definition.primaryKey.map(columnName))}, count(*) ${this.#groups([])}`
    return new TerminalError(
      `${name}: ${has} (${keyNames(this.#pipeline)}) of ${nameOf(this.#pipeline)} ${each} several rows${moment}, and no index of the source holds to the key which its model declares. Rows of ${said.join(', ')}${more} differ, and nothing says which of them is the newer one, so one would be lost in ${target}, and nothing was read; make the key whole (primaryKey() of more fields, or another view), or give the load a version; the keys are listed by ${this.#pasted(list)}`,
    )
  }

  #pasted(statement: Sql): string {
    return pastedSql(this.#adapter, statement)
  }

  async #query(statement: Sql): Promise<readonly (readonly Text[])[]> {
    const { sql: text, parameters } = compile(this.#adapter, statement)
    return (await this.#rows.connection.query(text, parameters)).rows
  }
}
