import type { Adapter, Connection, LiveTable } from '#dray/database/adapter.ts'
import { type Alteration, type Change, keyChanged, type WantedColumn } from '#dray/database/alterations.ts'
import { asking } from '#dray/database/reading.ts'
import { quotedTable } from '#dray/database/table-name.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { ModelTable } from './model-table.ts'
import { createStatement, missingSchema } from './schema.ts'
import type { ColumnDefinition } from './table-definition.ts'

/** A column that is gone from the model and one that is new in it, which may be one column under another name. */
export interface RenameQuestion {
  readonly from: string
  readonly to: string
}

/** What was answered to `RenameQuestion`s of a table. */
export interface RenameAnswers {
  readonly renames: readonly RenameQuestion[]
  /** Every other column that is gone and one that is new are two. */
  readonly areOthersTwo: boolean
}

/** One statement, or several that belong together, and what it finds in the rows of now. */
export interface PlannedStatement extends Alteration {
  /** Rows of the table; null where they need not be counted. */
  readonly rows: number | null
  /** Values that are gone afterwards. */
  readonly valuesLost: number
  /** Why it would not be done: rows that do not fit, or what would not survive. */
  readonly obstacles: readonly string[]
  /** What another statement does that has to be done before it; null where none has. */
  readonly behind: string | null
}

/** The statements by which a live table fits its model. */
export interface TablePlan {
  readonly model: ModelTable
  /** There is no table yet. */
  readonly isNew: boolean
  readonly statements: readonly PlannedStatement[]
  /** Until they are answered neither column is touched. */
  readonly questions: readonly RenameQuestion[]
  /** Sentences on what no statement of Dray's does. */
  readonly notes: readonly string[]
}

export type AlteringConnection = Pick<Connection, 'query' | 'describe'>

export interface PlanOptions extends RenameAnswers {
  /** Columns that other models of the table have, which are not dropped. */
  readonly others?: readonly string[]
  /** No column that the model does not know is dropped: a pipeline takes such columns over. */
  readonly keepsUnknown?: boolean | undefined
}

export const UNANSWERED: RenameAnswers = { renames: [], areOthersTwo: false }

/** Finds out what separates a model's live table from what `createTable()` of the model gives. Changes nothing. */
export async function planTable(
  model: ModelTable,
  connection: AlteringConnection,
  adapter: Adapter,
  options: PlanOptions = UNANSWERED,
): Promise<TablePlan> {
  const { definition } = model
  const missing = await missingSchema(model, connection, adapter)
  if (missing !== null) return { model, isNew: true, statements: [], questions: [], notes: [missing] }
  const live = await connection.describe(definition.table)
  if (live === null) return newTable(model, adapter)
  const renames = [...options.renames, ...respelt(definition.columnNames, live, adapter, options)]
  const asked = { ...options, renames }
  const { changes, questions, notes } = await changesOf(model, live, connection, adapter, asked)
  const ask = asking(connection)
  const alterations = changes.length === 0 ? [] : await adapter.alter.alterationsOf(ask, definition.table, changes)
  const statements: PlannedStatement[] = []
  for (const alteration of alterations) statements.push(await weighed(alteration, model, connection, adapter, asked))
  return { model, isNew: false, statements: keyFirst(statements, changes, live), questions, notes }
}

/** A column of the former key stays until the table has the other one. */
function keyFirst(
  statements: readonly PlannedStatement[],
  changes: readonly Change[],
  { primaryKey }: LiveTable,
): readonly PlannedStatement[] {
  const change = changes.find(({ kind }) => kind === 'key')
  const made = change?.kind === 'key' ? keyChanged(change) : null
  const key = statements.find(({ what }) => made !== null && what.includes(made))
  if (key === undefined) return statements
  const isStuck = key.obstacles.length > 0
  const isDrop = (name: string) => changes.some((one) => one.kind === 'drop' && one.name === name)
  return statements.map((one) => {
    const [column = ''] = one.columns
    const isOfKey = one !== key && one.mark === 'loses data' && isDrop(column) && primaryKey.includes(column)
    if (!isOfKey) return one
    const obstacles = isStuck ? [...one.obstacles, 'the table has to have its other key first'] : one.obstacles
    return { ...one, obstacles, behind: key.what }
  })
}

/** Columns that the engine knows under the model's names already, in other capitals. */
function respelt(
  names: readonly string[],
  { columns }: LiveTable,
  adapter: Adapter,
  { renames }: RenameAnswers,
): RenameQuestion[] {
  if (!adapter.alter.ignoresCase) return []
  return names.flatMap((to) => {
    const found = columns.find(({ name }) => name.toLowerCase() === to.toLowerCase())
    const isAnswered = renames.some((one) => one.from === found?.name || one.to === to)
    return found === undefined || found.name === to || isAnswered ? [] : [{ from: found.name, to }]
  })
}

/** One that the engine cannot have is no reason to say nothing of the others. */
function newTable(model: ModelTable, adapter: Adapter): TablePlan {
  const plan = { model, isNew: true, questions: [] }
  try {
    return { ...plan, statements: [created(model, adapter)], notes: [] }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return { ...plan, statements: [], notes: [error.message] }
  }
}

function created(model: ModelTable, adapter: Adapter): PlannedStatement {
  const what = `creates the table with ${model.definition.columnNames.join(', ')}`
  const sql = [createStatement(model, adapter)]
  const none = {
    locks: null,
    unfit: [],
    lost: null,
    refused: null,
    rows: null,
    valuesLost: 0,
    obstacles: [],
    behind: null,
  }
  return { ...none, columns: model.definition.columnNames, mark: 'safe', what, sql }
}

function wanted({ column, field }: ColumnDefinition, adapter: Adapter): WantedColumn {
  const { settings } = field
  return {
    name: column,
    kind: settings.kind,
    type: adapter.schema.columnType(settings),
    nullable: settings.isNullable && !settings.isPrimaryKey,
    isGenerated: settings.isGenerated && adapter.schema.generated !== null,
    startsAtZero: settings.isLockVersion,
  }
}

interface Changes {
  readonly changes: readonly Change[]
  readonly questions: readonly RenameQuestion[]
  readonly notes: readonly string[]
}

/** In the order in which they are done: no column is narrowed or dropped before the others are there. */
async function changesOf(
  { definition }: ModelTable,
  table: LiveTable,
  connection: AlteringConnection,
  adapter: Adapter,
  options: PlanOptions,
): Promise<Changes> {
  checkRenames(definition.table, table, definition.columnNames, options.renames)
  const live = renamed(table, options.renames)
  const columns = definition.columns.map((column) => wanted(column, adapter))
  const added = columns.filter(({ name }) => !live.columns.some((one) => one.name === name))
  const known = new Set([...definition.columnNames, ...(options.others ?? [])])
  const unknown = live.columns.filter(({ name, isComputed }) => !known.has(name) && !isComputed)
  const questions = options.areOthersTwo
    ? []
    : added.flatMap((column) =>
        unknown
          .filter(({ type }) => adapter.alter.isType(column, type))
          .map(({ name }) => ({ from: name, to: column.name })),
      )
  const asked = new Set(questions.flatMap(({ from, to }) => [from, to]))
  const left = unknown.filter(({ name }) => !asked.has(name))
  const isEmpty = added.some(({ nullable }) => !nullable) && (await hasNoRows(definition.table, connection, adapter))
  const adds = added.filter(({ name }) => !asked.has(name))
  const key = definition.primaryKey.map(({ column }) => column)
  const changes: Change[] = [
    ...options.renames.map(({ from, to }) => ({ kind: 'rename', from, to }) as const),
    ...adds.map((column) => ({ kind: 'add', column, nullable: isAddedNullable(column, isEmpty) }) as const),
    ...columns.flatMap((column) => changed(column, live, adapter)),
    ...(hasKey(live, key) || key.some((name) => asked.has(name))
      ? []
      : [{ kind: 'key', columns: key, former: live.primaryKey } as const]),
    ...(options.keepsUnknown ? [] : left).map(({ name }) => ({ kind: 'drop', name }) as const),
  ]
  const late = adds.filter((column) => !column.nullable && isAddedNullable(column, isEmpty))
  const notes = [
    ...late.map(({ name }) => nullNote(name)),
    ...defaultNotes(definition.columns, live),
    ...(options.keepsUnknown && left.length > 0 ? [keptNote(left.map(({ name }) => name))] : []),
  ]
  return { changes, questions, notes }
}

function keptNote(names: readonly string[]): string {
  return `${names.join(', ')} stay${names.length === 1 ? 's' : ''}, though the model does not know ${names.length === 1 ? 'it' : 'them'}: a pipeline of the table follows the columns of its source (columns: 'follow')`
}

/** A row that is there has no value for the column yet, unless the database gives it one. */
function isAddedNullable({ nullable, startsAtZero, isGenerated }: WantedColumn, isEmpty: boolean): boolean {
  return nullable || !(isEmpty || startsAtZero || isGenerated)
}

function nullNote(name: string): string {
  return `${name} comes in as a column that may be NULL, since the table has rows and none has a value for it: load them again, and plan once more to make it NOT NULL`
}

function checkRenames(
  table: string,
  live: LiveTable,
  names: readonly string[],
  renames: readonly RenameQuestion[],
): void {
  const has = (name: string) => live.columns.some((column) => column.name === name)
  const wrong = renames.find(({ from, to }) => !has(from) || has(to) || !names.includes(to))
  if (wrong === undefined) return
  throw new ConfigurationError(
    `${wrong.from} of ${table} cannot be renamed to ${wrong.to}, so nothing was changed: the table has ${live.columns.map(({ name }) => name).join(', ')}, the model ${names.join(', ')}; name a column that only the table has, and one that only the model has.`,
  )
}

function renamed(live: LiveTable, renames: readonly RenameQuestion[]): LiveTable {
  const next = (name: string) => renames.find(({ from }) => from === name)?.to ?? name
  return {
    columns: live.columns.map((column) => ({ ...column, name: next(column.name) })),
    primaryKey: live.primaryKey.map(next),
    uniqueKeys: live.uniqueKeys.map((columns) => columns.map(next)),
  }
}

/** What differs in a column that is there. */
function changed(column: WantedColumn, live: LiveTable, adapter: Adapter): Change[] {
  const found = live.columns.find(({ name }) => name === column.name)
  if (found === undefined) return []
  if (found.isComputed) return []
  const change = {
    type: !adapter.alter.isType(column, found.type),
    nullable: column.nullable !== found.nullable && !(column.nullable && live.primaryKey.includes(column.name)),
    startsAtZero: column.startsAtZero && !found.hasDefault,
    isGenerated: column.isGenerated && !found.hasDefault,
  }
  return Object.values(change).includes(true) ? [{ kind: 'change', column, liveType: found.type, ...change }] : []
}

function hasKey(live: LiveTable, key: readonly string[]): boolean {
  const text = (columns: readonly string[]) => [...columns].sort().join('\0')
  return key.length === 0 || [live.primaryKey, ...live.uniqueKeys].some((columns) => text(columns) === text(key))
}

/** `createTable()` makes no DEFAULT either. */
function defaultNotes(columns: readonly ColumnDefinition[], live: LiveTable): string[] {
  return columns
    .filter(({ field }) => field.settings.isDefaulted)
    .filter(({ column }) => !(live.columns.find(({ name }) => name === column)?.hasDefault ?? true))
    .map(
      ({ column }) =>
        `${column} has no default, and the model says that the database gives one; Dray does not know which: give it one yourself`,
    )
}

async function hasNoRows(table: string, connection: AlteringConnection, adapter: Adapter): Promise<boolean> {
  return (await connection.query(`select 1 from ${quotedTable(table, adapter.quote)} limit 1`)).rows.length === 0
}

async function weighed(
  alteration: Alteration,
  model: ModelTable,
  connection: AlteringConnection,
  adapter: Adapter,
  { renames }: PlanOptions,
): Promise<PlannedStatement> {
  const { table } = model.definition
  const number = async (sql: string) => Number((await connection.query(sql)).rows[0]?.[0] ?? 0)
  const rows =
    alteration.mark === 'safe' ? null : await number(`select count(*) from ${quotedTable(table, adapter.quote)}`)
  const valuesLost = alteration.lost === null ? 0 : await number(alteration.lost)
  // Rows are counted under the names that columns have now.
  const isCountable = !alteration.columns.some((column) => renames.some(({ to }) => to === column))
  const unfit = isCountable ? await unfitRows(alteration, connection, rows ?? 0) : []
  return {
    ...alteration,
    rows,
    valuesLost,
    obstacles: [...(alteration.refused === null ? [] : [alteration.refused]), ...unfit],
    behind: null,
  }
}

/** A sentence for each kind of rows that keep the statement from being done. */
export async function unfitRows(
  { unfit }: Pick<Alteration, 'unfit'>,
  connection: AlteringConnection,
  all: number,
): Promise<string[]> {
  const found: string[] = []
  for (const { what, count } of unfit) {
    const { rows } = await connection.query(count)
    const number = Number(rows[0]?.[0] ?? 0)
    if (number > 0) found.push(`${number} of ${all} rows ${what}`)
  }
  return found
}
