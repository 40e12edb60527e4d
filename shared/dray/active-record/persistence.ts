import { type RawBuilder, sql } from 'kysely'
import type { Text } from '#dray/block/block.ts'
import { type Adapter, type Connection, DROPPED } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import { areKept, refuseChanged } from './kept-values.ts'
import type { QueriedModel } from './model-table.ts'
import { type ActiveRecord, internals, type Snapshot } from './record.ts'
import { RecordNotFoundError, StaleRecordError } from './record-errors.ts'
import { Relation } from './relation.ts'
import { columnName, readColumn, tableName, textFor } from './sql.ts'
import type { ColumnDefinition, RecordRow } from './table-definition.ts'

type Writable = ActiveRecord & { isValid(): boolean }

/** What a save writes. */
interface Given extends Snapshot {
  /** Names of properties. */
  readonly changed: ReadonlySet<string>
}

function modelOf(record: ActiveRecord): QueriedModel {
  return record.constructor as unknown as QueriedModel
}

/** Records whose rows were deleted by `destroy()`. */
const destroyed = new WeakSet<ActiveRecord>()

/**
 * Writes the record. False, with its errors filled, when a rule or the database refuses its values, or the database
 * drops the row; the transaction stays usable.
 */
export async function save(record: Writable): Promise<boolean> {
  const model = modelOf(record)
  if (destroyed.has(record)) throw staleRecord(model, record)
  // Those of one transaction take turns anyway, and a hook that saves its own record must not wait for itself.
  if (!model.database.inTransaction) while (inserts.has(record)) await inserts.get(record)
  const saving = saveNow(model, record)
  if (record.isNew) {
    const ended = saving.then(
      () => {},
      () => {},
    )
    inserts.set(record, ended)
    ended.then(() => inserts.get(record) === ended && inserts.delete(record))
  }
  return saving
}

/** Saves of new records until they are committed: one that is saved twice at once is inserted once, then updated. */
const inserts = new WeakMap<ActiveRecord, Promise<void>>()

async function saveNow(model: QueriedModel, record: Writable): Promise<boolean> {
  try {
    return await model.database.transaction(async () => {
      model.database.onRollback(internals.wayBack(record))
      await record.beforeSave()
      if (!record.isValid()) return false
      // What is assigned from here on is of the next save.
      const given = { ...internals.snapshot(record), changed: changedIn(record, model) }
      if (record.isNew) await insert(model, record, given)
      else if (given.changed.size > 0) await update(model, record, given)
      await record.afterSave()
      return true
    })
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    record.errors.add(propertyOf(model, error.field), error.code, error.message)
    return false
  }
}

/** The database says when the row was written. */
function changedIn(record: Writable, { definition: { landed } }: QueriedModel): ReadonlySet<string> {
  return new Set(record.changed.filter((name) => name !== landed?.name))
}

function propertyOf(model: QueriedModel, column: string): string {
  return model.definition.columns.find((candidate) => candidate.column === column)?.name ?? column
}

async function insert(model: QueriedModel, record: ActiveRecord, given: Given): Promise<void> {
  const { definition, database } = model
  const { row } = given
  await database.withConnection(async (connection, adapter) => {
    const columns: ColumnDefinition[] = []
    const values: RawBuilder<unknown>[] = []
    for (const column of definition.columns) {
      const text = row[column.index]
      const { isLanded, isTouched } = column.field.settings
      if (isLanded || (isTouched && text === undefined)) values.push(sql.raw(adapter.now))
      else if (text !== undefined) values.push(textFor(adapter, column, text))
      else if (column.field.settings.isLockVersion) values.push(sql`${'0'}`)
      else continue
      columns.push(column)
    }
    const statement =
      columns.length === 0
        ? sql`insert into ${tableName(definition)}${sql.raw(adapter.defaultValues)}`
        : sql`insert into ${tableName(definition)} (${sql.join(columns.map(columnName))}) values (${sql.join(values)})`
    try {
      const stored = await writeAndRead(model, row, connection, adapter, statement)
      await loadKept(model, record, connection, adapter, stored, given)
    } catch (error) {
      throw numberTaken(model, row, adapter, error)
    }
  })
}

/** A duplicate key that nobody has given: rows with numbers that were given do not move a sequence. */
function numberTaken({ definition }: QueriedModel, row: RecordRow, { schema }: Adapter, error: unknown): unknown {
  if (!(error instanceof DataQualityError)) return error
  for (const { column, index, field } of definition.primaryKey) {
    if (!field.settings.isGenerated || row[index] !== undefined) continue
    const remedy = schema.numbersMoved(error, definition.table, column)
    if (remedy === null) continue
    return new DataQualityError(
      column,
      error.code,
      `the number that the database gave for ${column} is taken: rows of ${definition.database}.${definition.table} were written with given numbers, behind which its sequence was not moved. Nothing was written. Move it: ${remedy}`,
      { cause: error },
    )
  }
  return error
}

/** Runs the write; the row as the database then has it, with defaults and generated keys, if it can be found. */
async function writeAndRead(
  model: QueriedModel,
  row: RecordRow,
  connection: Connection,
  adapter: Adapter,
  statement: RawBuilder<unknown>,
): Promise<readonly Text[] | null> {
  const all = sql.join(model.definition.columns.map((column) => readColumn(adapter, column)))
  if (adapter.lastGeneratedKey === null) {
    const { sql: text, parameters } = compile(adapter, sql`${statement} returning ${all}`)
    return writtenRow(model, (await connection.query(text, parameters)).rows)
  }
  const { sql: text, parameters } = compile(adapter, statement)
  await connection.query(text, parameters)
  const generated = sql.raw(adapter.lastGeneratedKey)
  const key = model.definition.primaryKey.map((column) => {
    const given = row[column.index]
    return given === undefined
      ? sql`${columnName(column)} = ${generated}`
      : sql`${columnName(column)} = ${textFor(adapter, column, given)}`
  })
  if (key.length === 0) return null
  const select = compile(
    adapter,
    sql`select ${all} from ${tableName(model.definition)} where ${sql.join(key, sql` and `)}`,
  )
  return writtenRow(model, (await connection.query(select.sql, select.parameters)).rows)
}

/** The row of a write's answer; throws `DataQuality` when the database took the row without writing it. */
function writtenRow(model: QueriedModel, rows: readonly (readonly Text[])[]): readonly Text[] {
  const [row] = rows
  if (row === undefined) throw droppedRow(model, 'inserted')
  return row
}

function droppedRow({ definition }: QueriedModel, what: 'inserted' | 'updated' | 'deleted'): DataQualityError {
  return new DataQualityError(
    '',
    DROPPED,
    `the database reported no error but has not ${what} the row of ${definition.database}.${definition.table}: a trigger, a policy or a view keeps it from being ${what}; mend that, or leave such rows alone`,
  )
}

/**
 * Takes the row as the database has it, unless a value that was written is another one now; null where nothing tells
 * it.
 */
async function loadKept(
  model: QueriedModel,
  record: ActiveRecord,
  connection: Connection,
  adapter: Adapter,
  stored: readonly Text[] | null,
  given: Given,
  wasWritten = true,
): Promise<void> {
  const { definition } = model
  const { row, changed } = given
  if (stored === null) {
    internals.load(
      record,
      definition.columns.map(({ index }) => row[index] ?? null),
      given,
    )
    return
  }
  const written = definition.columns.flatMap((column) => {
    const text = row[column.index]
    const isWritten = changed.has(column.name) && (given.stored === null || column !== definition.lockVersion)
    return text === undefined || !isWritten ? [] : [{ column, given: text, stored: stored[column.index] ?? null }]
  })
  // MySQL counts a row that has the values already as not written, too.
  if (!wasWritten && !areKept(adapter, written)) throw droppedRow(model, 'updated')
  if (stored.length > 0) await refuseChanged(written, definition, connection, adapter)
  internals.load(record, [...stored], given)
}

/** The row's own key, and its version where the model locks optimistically, as they were read. */
function identity(model: QueriedModel, record: ActiveRecord, adapter: Adapter): RawBuilder<unknown> {
  const { primaryKey, lockVersion, table, database } = model.definition
  if (primaryKey.length === 0) {
    throw new StaleRecordError(
      `${database}.${table} has no primary key, so one row cannot be told from another; mark a field with primaryKey()`,
    )
  }
  return sql.join(
    [...primaryKey, ...(lockVersion === null ? [] : [lockVersion])].map((column) => {
      const value = record.was(column.name)
      const text: Text = value === null ? null : column.field.settings.toText(value)
      return text === null
        ? adapter.isNull(columnName(column))
        : sql`${columnName(column)} = ${textFor(adapter, column, text)}`
    }),
    sql` and `,
  )
}

async function update(model: QueriedModel, record: ActiveRecord, given: Given): Promise<void> {
  const { definition, database } = model
  const { row, changed } = given
  await database.withConnection(async (connection, adapter) => {
    const assignments = definition.columns.flatMap((column) => {
      if (column === definition.lockVersion) return [sql`${columnName(column)} = ${columnName(column)} + 1`]
      if (changed.has(column.name))
        return [sql`${columnName(column)} = ${textFor(adapter, column, row[column.index] ?? null)}`]
      return column.field.settings.isTouched ? [sql`${columnName(column)} = ${sql.raw(adapter.now)}`] : []
    })
    const where = identity(model, record, adapter)
    const { sql: text, parameters } = compile(
      adapter,
      sql`update ${tableName(definition)} set ${sql.join(assignments)} where ${where}`,
    )
    let { affected } = await connection.query(text, parameters)
    if (affected === 0) {
      if (!(await isThere(model, connection, adapter, where))) throw staleRecord(model, record)
      // The transaction that has inserted it may have committed just now.
      affected = (await connection.query(text, parameters)).affected
    }
    const all = sql.join(definition.columns.map((column) => readColumn(adapter, column)))
    const key = sql.join(
      definition.primaryKey.map(
        (column) => sql`${columnName(column)} = ${textFor(adapter, column, row[column.index] ?? null)}`,
      ),
      sql` and `,
    )
    const select = compile(adapter, sql`select ${all} from ${tableName(definition)} where ${key}`)
    const { rows } = await connection.query(select.sql, select.parameters)
    await loadKept(model, record, connection, adapter, rows[0] ?? [], given, affected > 0)
  })
}

/** Whether the row is as it was read: else it is stale. */
async function isThere(
  model: QueriedModel,
  connection: Connection,
  adapter: Adapter,
  where: RawBuilder<unknown>,
): Promise<boolean> {
  const { sql: text, parameters } = compile(adapter, sql`select 1 from ${tableName(model.definition)} where ${where}`)
  return (await connection.query(text, parameters)).rows.length > 0
}

function staleRecord(model: QueriedModel, record: ActiveRecord): StaleRecordError {
  const key = model.definition.primaryKey.map(({ name }) => `${name} ${record.was(name)}`).join(', ')
  return new StaleRecordError(
    `${model.definition.database}.${model.definition.table} with ${key} was changed or deleted since it was read, so nothing was written; reload() it and try again`,
  )
}

/** Deletes the record's row. Throws when it is stale, and when the database keeps it. */
function refuseNew({ definition }: QueriedModel, record: ActiveRecord, done: string): void {
  if (!record.isNew) return
  throw new TerminalError(
    `a record of ${definition.database}.${definition.table} that was never saved cannot be ${done}; save() it first`,
  )
}

export async function destroy(record: ActiveRecord): Promise<void> {
  const model = modelOf(record)
  refuseNew(model, record, 'deleted')
  await model.database.withConnection(async (connection, adapter) => {
    const where = identity(model, record, adapter)
    const { sql: text, parameters } = compile(adapter, sql`delete from ${tableName(model.definition)} where ${where}`)
    if ((await connection.query(text, parameters)).affected > 0) {
      destroyed.add(record)
      model.database.onRollback(() => destroyed.delete(record))
      return
    }
    if (await isThere(model, connection, adapter, where)) throw droppedRow(model, 'deleted')
    throw staleRecord(model, record)
  })
}

/** Reads the record's row again. */
export async function reload(record: ActiveRecord): Promise<void> {
  const model = modelOf(record)
  refuseNew(model, record, 'read again')
  const given = internals.snapshot(record)
  const key = Object.fromEntries(model.definition.primaryKey.map(({ name }) => [name, record.was(name)]))
  const fresh = await new Relation(model).where(key as never).first()
  if (fresh === null) {
    const shown = Object.entries(key)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
    throw new RecordNotFoundError(
      `${model.definition.database}.${model.definition.table} has no row with ${shown} any more`,
    )
  }
  internals.load(record, [...internals.row(fresh as never)], given)
}
