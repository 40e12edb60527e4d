import { type RawBuilder, sql } from 'kysely'
import type { Text } from '#dray/block/block.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import { compile, type Statement } from '#dray/database/statement.ts'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import { type AssociatedRecord, preload } from './association.ts'
import { after, ascending, type ComparedKey, livePrimaryKey } from './compared-key.ts'
import type { Fields, ValueOf } from './fields.ts'
import type { QueriedModel } from './model-table.ts'
import { checkConditions, columnName, condition, isPlainObject, kindOf, readColumn, tableName, where } from './sql.ts'
import { type ColumnDefinition, columnOf, type RecordRow } from './table-definition.ts'

export type Direction = 'asc' | 'desc'

/** An object of values by property (an array means IN, null IS NULL), or SQL with `?` and the values. */
export type ConditionsOf<F extends Fields> =
  | { readonly [K in keyof F]?: ValueOf<F[K]> | readonly ValueOf<F[K]>[] | null }
  | readonly [sql: string, ...values: unknown[]]

export type OrderOf<F extends Fields> = (keyof F & string) | { readonly [K in keyof F]?: Direction }

export interface BatchOptions {
  /** Rows of a batch; 10,000 by default. */
  readonly of?: number
  /** Where a former iteration stopped: its last batch's `cursor`. */
  readonly after?: BatchCursor
}

/** The primary key of a batch's last row, as text: safe in JSON. */
export type BatchCursor = readonly string[]

/** One batch: its records, and the cursor that continues behind it. */
export interface Batch<T> {
  readonly records: readonly T[]
  readonly cursor: BatchCursor
}

function textsOf(row: string | readonly Text[]): readonly Text[] {
  return typeof row === 'string' ? decodeLine(row) : row
}

interface Parts {
  readonly conditions: readonly ConditionsOf<Fields>[]
  readonly order: readonly { readonly column: ColumnDefinition; readonly direction: Direction }[]
  readonly limit: number | null
  readonly offset: number | null
  readonly columns: readonly ColumnDefinition[]
  readonly preloads: readonly string[]
}

/**
 * A query that has not run yet. Immutable: each method returns a new one. It runs when its rows are asked for:
 * `toArray()`, `first()`, `count()`, `for await`, `inBatches()`.
 */
export class Relation<T, F extends Fields> {
  readonly #model: QueriedModel
  readonly #parts: Parts

  constructor(model: QueriedModel, parts?: Parts) {
    this.#model = model
    this.#parts = parts ?? {
      conditions: [],
      order: [],
      limit: null,
      offset: null,
      columns: model.definition.columns,
      preloads: [],
    }
  }

  #with(change: Partial<Parts>): Relation<T, F> {
    return new Relation<T, F>(this.#model, { ...this.#parts, ...change })
  }

  /** Rows that meet these conditions too. */
  where(conditions: ConditionsOf<F>): Relation<T, F> {
    checkConditions(conditions)
    return this.#with({ conditions: [...this.#parts.conditions, conditions as ConditionsOf<Fields>] })
  }

  /** By these properties, after those given before. */
  order(...orders: OrderOf<F>[]): Relation<T, F> {
    const added = orders.flatMap((order) =>
      ordersOf(order).map(([name, direction]) => ({
        column: columnOf(this.#model.definition, name),
        direction: directionOf(name, direction),
      })),
    )
    return this.#with({ order: [...this.#parts.order, ...added] })
  }

  limit(rows: number): Relation<T, F> {
    return this.#with({ limit: wholeNumber('limit', rows) })
  }

  offset(rows: number): Relation<T, F> {
    return this.#with({ offset: wholeNumber('offset', rows) })
  }

  /** Reads only these properties (and the primary key); another one throws when it is asked for. */
  select(...names: (keyof F & string)[]): Relation<T, F> {
    const wanted = new Set([
      ...names.map((name) => columnOf(this.#model.definition, name)),
      ...this.#model.definition.primaryKey,
    ])
    return this.#with({ columns: this.#model.definition.columns.filter((column) => wanted.has(column)) })
  }

  /** Reads these associations of all rows beforehand, in one query each instead of one for each row. */
  preload(...names: (keyof T & string)[]): Relation<T, F> {
    return this.#with({ preloads: [...this.#parts.preloads, ...names] })
  }

  #select(
    adapter: Adapter,
    page?: { readonly key: ComparedKey; readonly behind: BatchCursor | undefined; readonly rows: number },
  ): RawBuilder<unknown> {
    const { definition } = this.#model
    const conditions = this.#parts.conditions.map((one) => condition(adapter, definition, one))
    if (page?.behind !== undefined) conditions.push(after(page.key, page.behind))
    const orderBy =
      page === undefined
        ? this.#parts.order.map(({ column, direction }) => sql`${columnName(column)} ${sql.raw(direction)}`)
        : [ascending(page.key)]
    return sql`select ${sql.join(this.#parts.columns.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}${where(conditions)}${orderBy.length === 0 ? sql`` : sql` order by ${sql.join(orderBy)}`}${this.#bounds(adapter, page?.rows)}`
  }

  #bounds(adapter: Adapter, keyset?: number): RawBuilder<unknown> {
    const limit = keyset ?? this.#parts.limit
    const offset = keyset === undefined ? this.#parts.offset : null
    if (limit === null && offset === null) return sql``
    return sql.raw(` limit ${limit ?? adapter.everyRow}${offset === null ? '' : ` offset ${offset}`}`)
  }

  /** Makes a record of a row of the selected columns. */
  #recordOf(row: string | readonly Text[]): T {
    const { columns } = this.#parts
    if (columns.length === this.#model.definition.columns.length) return this.#model.instantiate(row as RecordRow) as T
    const texts = textsOf(row)
    const wide: RecordRow = new Array(this.#model.definition.columns.length)
    columns.forEach((column, place) => {
      wide[column.index] = texts[place] as Text
    })
    return this.#model.instantiate(wide) as T
  }

  async #preloaded(records: T[]): Promise<T[]> {
    for (const name of this.#parts.preloads) await preload(records as object[], name)
    return records
  }

  async #run(statement: (adapter: Adapter) => RawBuilder<unknown>): Promise<readonly (readonly Text[])[]> {
    return this.#model.database.withConnection(async (connection, adapter) => {
      const { sql: text, parameters } = compile(adapter, statement(adapter))
      return (await connection.query(text, parameters)).rows
    })
  }

  /** The records of a query that may give many: made while the others come in. */
  async #runMany(statement: (adapter: Adapter) => RawBuilder<unknown>): Promise<T[]> {
    return this.#model.database.withConnection(async (connection, adapter) => {
      const { sql: text, parameters } = compile(adapter, statement(adapter))
      if (connection.eachLine === undefined) {
        return (await connection.query(text, parameters)).rows.map((row) => this.#recordOf(row))
      }
      const records: T[] = []
      await connection.eachLine(text, parameters, (line) => records.push(this.#recordOf(line)))
      return records
    })
  }

  /**
   * By place of the value: the records of which the database says that the property equals it, in the spelling that
   * either side has. One statement.
   */
  async havingEach(property: keyof F & string, values: readonly unknown[]): Promise<T[][]> {
    const { definition } = this.#model
    const having: T[][] = values.map(() => [])
    if (values.length === 0) return having
    const columns = this.#parts.columns
    const rows = await this.#run((adapter) => {
      const read = sql.join(columns.map((column) => readColumn(adapter, column)))
      const one = (value: unknown, place: number) =>
        sql`select ${sql.raw(String(place))}, ${read} from ${tableName(definition)} where ${condition(adapter, definition, { [property]: value })}`
      return sql.join(values.map(one), sql` union all `)
    })
    for (const [place, ...row] of rows) having[Number(place)]?.push(this.#recordOf(row))
    return having
  }

  /** Every row, in memory at once; use `inBatches` or `for await` for many. */
  async toArray(): Promise<T[]> {
    const statement = (adapter: Adapter) => this.#select(adapter)
    if (this.#parts.limit === null) return this.#preloaded(await this.#runMany(statement))
    return this.#preloaded((await this.#run(statement)).map((row) => this.#recordOf(row)))
  }

  /** The first row in the order given (else by primary key), or null. */
  async first(): Promise<T | null> {
    const ordered =
      this.#parts.order.length > 0
        ? this
        : this.order(...(this.#model.definition.primaryKey.map(({ name }) => name) as OrderOf<F>[]))
    const [record] = await ordered.limit(1).toArray()
    return record ?? null
  }

  /** How many rows meet the conditions. */
  async count(): Promise<number> {
    const limited = this.#parts.limit !== null || this.#parts.offset !== null
    const rows = await this.#run((adapter) =>
      limited
        ? sql`select count(*) from (${this.#select(adapter)}) as ${sql.id('counted')}`
        : sql`select count(*) from ${tableName(this.#model.definition)}${where(
            this.#parts.conditions.map((one) => condition(adapter, this.#model.definition, one)),
          )}`,
    )
    return Number(rows[0]?.[0])
  }

  async exists(): Promise<boolean> {
    return (await this.limit(Math.min(1, this.#parts.limit ?? 1)).count()) > 0
  }

  /** Deletes the rows that meet the conditions, without hooks; says how many. */
  async deleteAll(): Promise<number> {
    const { definition, database } = this.#model
    if (definition.readOnly)
      throw new TerminalError(
        `${definition.database}.${definition.table} is a source and is only read; declare it with table() to write it`,
      )
    if (this.#parts.limit !== null || this.#parts.offset !== null) {
      throw new ConfigurationError(
        'deleteAll() takes no limit or offset: which rows would go is not defined; use where()',
      )
    }
    const { conditions: given } = this.#parts
    if (given.length > 0 && given.every((one) => Object.keys(one).length === 0)) {
      throw new ConfigurationError(
        `the conditions of deleteAll() on ${definition.database}.${definition.table} are empty, so every row would go; give one, or say all().deleteAll()`,
      )
    }
    return database.withConnection(async (connection, adapter) => {
      const conditions = given.map((one) => condition(adapter, definition, one))
      const { sql: text, parameters } = compile(adapter, sql`delete from ${tableName(definition)}${where(conditions)}`)
      return (await connection.query(text, parameters)).affected
    })
  }

  /**
   * The rows in batches by primary key: bounded memory, no offset, and each batch is a separate query (rows written
   * meanwhile behind the cursor are seen). Takes no order, limit or offset.
   */
  async *inBatches(options: BatchOptions = {}): AsyncGenerator<Batch<T>> {
    const { primaryKey, table, query } = this.#model.definition
    if (query !== undefined)
      throw new ConfigurationError(
        `${table} is a query, and no index holds to its key, so a batch could end between two rows of one key; read it by for await (const row of …), which holds few rows at once`,
      )
    if (primaryKey.length === 0)
      throw new ConfigurationError(
        `${table} has no primary key, so it cannot be read in batches; mark a field with primaryKey()`,
      )
    if (this.#parts.order.length > 0 || this.#parts.limit !== null || this.#parts.offset !== null) {
      throw new ConfigurationError('inBatches() goes by primary key; leave order(), limit() and offset() out')
    }
    const size = wholeNumber('of', options.of ?? 10_000)
    const key = await this.#model.database.withConnection((connection, adapter) =>
      livePrimaryKey(this.#model.definition, connection, adapter),
    )
    let cursor = options.after
    for (;;) {
      const behind = cursor
      const records = await this.#runMany((adapter) => this.#select(adapter, { key, behind, rows: size }))
      const last = records.at(-1) as AssociatedRecord | undefined
      if (last === undefined) return
      cursor = primaryKey.map(({ name }) => last.textOf(name) ?? '')
      yield { records: await this.#preloaded(records), cursor }
      if (records.length < size) return
    }
  }

  /**
   * Every row one by one, in bounded memory: in batches by primary key where no order is asked for, else as the query
   * gives them.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    const { order, limit, offset } = this.#parts
    const { query } = this.#model.definition
    const plain = order.length === 0 && limit === null && offset === null && query === undefined
    if (plain && this.#model.definition.primaryKey.length > 0) {
      for await (const { records } of this.inBatches()) yield* records
      return
    }
    const { sql: text, parameters } = await this.#compiled()
    for await (const rows of this.#model.database.stream(text, parameters))
      yield* await this.#preloaded(rows.map((row) => this.#recordOf(row)))
  }

  async #compiled(): Promise<Statement> {
    const adapter = await this.#model.database.adapter()
    return compile(adapter, this.#select(adapter))
  }
}

function ordersOf(order: unknown): [name: string, direction: unknown][] {
  if (typeof order === 'string') return [[order, 'asc']]
  const orders = isPlainObject(order) ? Object.entries(order) : []
  if (orders.length > 0) return orders
  throw new ConfigurationError(
    `order() takes names of properties, or an object of them, as { id: 'desc' }, and was given ${isPlainObject(order) ? 'an object without any' : kindOf(order)}`,
  )
}

/** A direction is written into the SQL: nothing else may be there. */
function directionOf(name: string, direction: unknown): Direction {
  if (direction === 'asc' || direction === 'desc') return direction
  throw new ConfigurationError(`order by ${name} takes 'asc' or 'desc', not ${JSON.stringify(direction)}`)
}

function wholeNumber(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new ConfigurationError(`${name} is ${value}; it must be a whole number, 0 or more`)
}
