import type { Text } from '#dray/block/block.ts'
import type { Database } from '#dray/database/database.ts'
import { ConfigurationError } from '#dray/errors.ts'
import { type BulkOptions, type BulkResult, writeAll } from './bulk.ts'
import type { Attributes, Fields, KeyOf, Row, ValueOf } from './fields.ts'
import { ownFieldsOf } from './own-fields.ts'
import * as persistence from './persistence.ts'
import { ActiveRecord, defineAccessors, internals, SourceRecord } from './record.ts'
import { RecordInvalidError, RecordNotFoundError } from './record-errors.ts'
import { type ConditionsOf, type OrderOf, Relation } from './relation.ts'
import { checkSchema, createTable, type SchemaDifference } from './schema.ts'
import type { RecordRow } from './table-definition.ts'
import { columnOf, defineTable, type TableDefinition } from './table-definition.ts'
import { validateValue } from './validations.ts'

type Constructor<T> = new (...args: never[]) => T

export interface FindAllOptions<F extends Fields> {
  readonly conditions?: ConditionsOf<F>
  readonly order?: OrderOf<F> | readonly OrderOf<F>[]
  readonly select?: readonly (keyof F & string)[]
  readonly limit?: number
}

/** What every model can do. `T` is the class it is called on, so records come back as instances of it. */
export interface ReadingStatics<F extends Fields> {
  readonly definition: TableDefinition
  readonly database: Database
  readonly fields: F
  /** The record of a primary key; throws `RecordNotFound` when there is none. */
  find<T>(this: Constructor<T>, key: KeyOf<F>): Promise<T>
  /** The first record that meets the conditions, or null. */
  findBy<T>(this: Constructor<T>, conditions: ConditionsOf<F>): Promise<T | null>
  findAll<T>(this: Constructor<T>, options?: FindAllOptions<F>): Promise<T[]>
  where<T>(this: Constructor<T>, conditions: ConditionsOf<F>): Relation<T, F>
  /** Every row, as a relation. */
  all<T>(this: Constructor<T>): Relation<T, F>
  count(conditions?: ConditionsOf<F>): Promise<number>
  /** A record of a row of texts in the order of the fields; no query, no cast. */
  instantiate<T>(this: Constructor<T>, row: RecordRow | readonly Text[]): T
  /** What differs between the model and its live table; empty when nothing does. */
  checkSchema(): Promise<readonly SchemaDifference[]>
  /**
   * Makes the table of the model; of a source too, for a test or an import. `ifMissing` leaves one that is there alone.
   */
  createTable(options?: { readonly ifMissing?: boolean }): Promise<void>
}

/** `findByOrderId(value)` for each field. */
export type Finders<F extends Fields> = {
  readonly [K in keyof F & string as `findBy${Capitalize<K>}`]: <T>(
    this: Constructor<T>,
    value: ValueOf<F[K]>,
  ) => Promise<T | null>
}

export interface WritingStatics<F extends Fields> {
  /** A record that is not in the database yet. */
  build<T>(this: Constructor<T>, attributes?: Partial<Attributes<F>>): T
  /** Builds and saves; look at `isNew` and `errors`, or use `createOrFail`. */
  create<T>(this: Constructor<T>, attributes: Attributes<F>): Promise<T>
  /** Builds and saves; throws `RecordInvalid` when it is not valid. */
  createOrFail<T>(this: Constructor<T>, attributes: Attributes<F>): Promise<T>
  /**
   * Writes many rows: new keys are inserted, those that differ are updated. Keeps every rule; bad rows are reported,
   * the others written.
   */
  upsertAll(rows: Iterable<Attributes<F>>, options?: BulkOptions<F>): Promise<BulkResult>
  /** Writes many new rows; one whose key is there already is reported as rejected. */
  insertAll(rows: Iterable<Attributes<F>>, options?: Omit<BulkOptions<F>, 'by' | 'version'>): Promise<BulkResult>
  /** Deletes the rows that meet the conditions, without hooks; says how many. */
  deleteAll(conditions?: ConditionsOf<F>): Promise<number>
}

/** What a record that can be written does. */
export interface Persistence<F extends Fields> {
  /** Sets several properties. */
  assign(attributes: Partial<Attributes<F>>): this
  /** Runs the rules; fills `errors`. */
  isValid(): boolean
  /**
   * Writes the record (an update: only what changed). False, with `errors`, when it is not valid or the database
   * refuses its values; other faults throw.
   */
  save(): Promise<boolean>
  /** As `save`; throws `RecordInvalid` instead of answering false. */
  saveOrFail(): Promise<this>
  /** Deletes the row; throws `StaleRecord` when it is gone or has another version. */
  destroy(): Promise<void>
  /** Reads the row again; throws `RecordNotFound` when it is gone. */
  reload(): Promise<this>
}

export type SourceClass<F extends Fields = Fields> = (new () => Readonly<Row<F>> & SourceRecord) &
  ReadingStatics<F> &
  Finders<F>

export type ModelClass<F extends Fields = Fields> = (new (
  attributes?: Partial<Attributes<F>>,
) => Row<F> & ActiveRecord & Persistence<F>) &
  ReadingStatics<F> &
  WritingStatics<F> &
  Finders<F>

/** The fields a model was declared with. */
export type FieldsOf<M> = M extends { readonly fields: infer F extends Fields } ? F : never

function reservedNames(readOnly: boolean): (name: string) => boolean {
  return (name) =>
    name in SourceRecord.prototype || (!readOnly && (name in ActiveRecord.prototype || PERSISTENCE.has(name)))
}
const PERSISTENCE = new Set(['assign', 'isValid', 'save', 'saveOrFail', 'destroy', 'reload'])

function setAttributes(
  record: SourceRecord,
  definition: TableDefinition,
  attributes: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries(attributes)) {
    internals.give(record, columnOf(definition, name), value)
  }
}

/** Makes the class that a model extends. */
export function defineModel<F extends Fields>(
  database: Database,
  source: Pick<TableDefinition, 'table' | 'readOnly' | 'query'>,
  fields: F,
): ModelClass<F> {
  const definition = defineTable({ database: database.name, ...source }, fields, reservedNames(source.readOnly))
  const model = source.readOnly ? sourceClass(definition) : recordClass(definition)
  Object.assign(model, { definition, database, fields }, readingStatics, source.readOnly ? {} : writingStatics)
  for (const { name } of definition.columns) {
    Object.defineProperty(model, `findBy${name.charAt(0).toUpperCase()}${name.slice(1)}`, {
      value(this: ModelClass, value: unknown) {
        return new Relation(this).where({ [name]: value as never }).first()
      },
    })
  }
  defineAccessors(model.prototype, definition)
  return model as unknown as ModelClass<F>
}

function sourceClass(_definition: TableDefinition) {
  return class extends SourceRecord {}
}

function recordClass(definition: TableDefinition) {
  return class extends ActiveRecord {
    constructor(attributes?: Readonly<Record<string, unknown>>) {
      super()
      if (attributes !== undefined) setAttributes(this, definition, attributes)
    }

    assign(attributes: Readonly<Record<string, unknown>>): this {
      setAttributes(this, definition, attributes)
      return this
    }

    isValid(): boolean {
      this.errors.clear()
      for (const column of definition.columns) {
        const text = internals.row(this)[column.index]
        if (text === undefined && !this.isNew) continue
        const error = validateValue(column, typeof text === 'string' ? column.field.settings.cast(text) : text)
        if (error !== null) this.errors.add(error.field, error.code, error.message)
      }
      this.validate()
      return this.errors.isEmpty
    }

    save(): Promise<boolean> {
      return persistence.save(this)
    }

    async saveOrFail(): Promise<this> {
      if (await this.save()) return this
      const [first] = this.errors.toArray()
      throw new RecordInvalidError(
        first?.field ?? '',
        first?.code ?? 'invalid',
        `${definition.database}.${definition.table}: the record was not saved: ${this.errors}`,
      )
    }

    async destroy(): Promise<void> {
      await persistence.destroy(this)
    }

    async reload(): Promise<this> {
      await persistence.reload(this)
      return this
    }
  }
}

/** What is given as undefined is a condition too, which `where` refuses: it is not all rows that were meant. */
function whereEach(model: ModelClass, conditions: readonly never[]) {
  return conditions.reduce((relation, one) => relation.where(one), new Relation<unknown, Fields>(model))
}

const readingStatics = {
  async find(this: ModelClass, key: unknown): Promise<unknown> {
    const { primaryKey, database, table } = this.definition
    if (Array.isArray(key)) {
      throw new ConfigurationError(
        `find() of ${database}.${table} takes one key, and was given a list; where({ ${primaryKey[0]?.name ?? 'id'}: […] }) finds several rows`,
      )
    }
    const keys =
      primaryKey.length === 1 && (typeof key !== 'object' || key === null || key instanceof Uint8Array)
        ? { [primaryKey[0]?.name ?? '']: key }
        : (key as object)
    const found = await new Relation(this).where(keys as never).first()
    if (found !== null) return found
    const shown = Object.entries(keys)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
    throw new RecordNotFoundError(`${database}.${table} has no row with ${shown}; use findBy() where none is expected`)
  },
  findBy(this: ModelClass, conditions: never) {
    return new Relation(this).where(conditions).first()
  },
  findAll(this: ModelClass, options: FindAllOptions<Fields> = {}) {
    let relation = new Relation(this)
    if ('conditions' in options) relation = relation.where(options.conditions as never)
    if (options.order !== undefined) relation = relation.order(...([options.order].flat() as never[]))
    if (options.select !== undefined) relation = relation.select(...(options.select as never[]))
    if (options.limit !== undefined) relation = relation.limit(options.limit)
    return relation.toArray()
  },
  where(this: ModelClass, conditions: never) {
    return new Relation(this).where(conditions)
  },
  all(this: ModelClass) {
    return new Relation(this)
  },
  count(this: ModelClass, ...conditions: never[]): Promise<number> {
    return whereEach(this, conditions).count()
  },
  instantiate(this: ModelClass, row: RecordRow | string): SourceRecord {
    const record = new this() as unknown as SourceRecord
    const fields = ownFieldsOf(record)
    internals.take(record, row)
    fields.give(record, row)
    return record
  },
  checkSchema(this: ModelClass) {
    return checkSchema(this)
  },
  createTable(this: ModelClass, options: { ifMissing?: boolean } = {}) {
    return createTable(this, options)
  },
}

const writingStatics = {
  build(this: new (attributes?: object) => ActiveRecord, attributes?: object) {
    return new this(attributes)
  },
  async create(this: new (attributes: object) => ActiveRecord & Persistence<Fields>, attributes: object) {
    const record = new this(attributes)
    await record.save()
    return record
  },
  createOrFail(this: new (attributes: object) => ActiveRecord & Persistence<Fields>, attributes: object) {
    return new this(attributes).saveOrFail()
  },
  upsertAll(this: ModelClass, rows: Iterable<Record<string, unknown>>, options: BulkOptions<Fields> = {}) {
    return writeAll(this, rows, 'upsert', options)
  },
  insertAll(this: ModelClass, rows: Iterable<Record<string, unknown>>, options: BulkOptions<Fields> = {}) {
    return writeAll(this, rows, 'insert', options)
  },
  deleteAll(this: ModelClass, ...conditions: never[]): Promise<number> {
    return whereEach(this, conditions).deleteAll()
  },
}
