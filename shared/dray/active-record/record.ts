import type { Text } from '#dray/block/block.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import { ConfigurationError, DataQualityError } from '#dray/errors.ts'
import type { AssociatedModel } from './association.ts'
import { BelongsTo } from './belongs-to.ts'
import { HasMany } from './has-many.ts'
import { ownFieldsOf } from './own-fields.ts'
import {
  type ColumnDefinition,
  columnOf,
  type RecordRow,
  type TableDefinition,
  textToValue,
  valueToText,
} from './table-definition.ts'
import { Errors } from './validations.ts'

/** The method by which Node's `inspect` shows an object. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')
/** The row of a record that has no value yet; never written into. */
const NO_VALUES: RecordRow = []

/** A record at one time. */
export interface Snapshot {
  readonly row: RecordRow
  /** As it was in the database; null for a new record. */
  readonly stored: RecordRow | null
}

interface Internals {
  /** The texts of the record as it is now. Throws `DataQuality` for a value that its field cannot hold. */
  row(record: SourceRecord): RecordRow
  /** Gives a new record its row: texts, or the line of COPY text that they are in. Its fields are not there yet. */
  take(record: SourceRecord, row: RecordRow | string): void
  /** What the record has now; later changes do not reach it. */
  snapshot(record: SourceRecord): Snapshot
  /** Takes a row as it is in the database now. Values that have been assigned since `given` stay, as changes. */
  load(record: SourceRecord, row: RecordRow, given: Snapshot): void
  /** Changes a value; one that equals what is stored takes the stored text again, so that it is not a change. */
  set(record: SourceRecord, column: ColumnDefinition, text: Text): void
  /** Takes a value that was assigned; one that the field cannot hold is kept, and judged by a save. */
  give(record: SourceRecord, column: ColumnDefinition, value: unknown): void
  /** Takes the record back to how it is now when it is called; fields that have been changed since a save stay so. */
  wayBack(record: SourceRecord): () => void
}

/** For this folder only: persistence works on the texts themselves. */
export let internals: Internals

export interface RecordClass {
  readonly definition: TableDefinition
}

/** Whether a value is the one that a text says; bytes can have been changed in place. */
function isValueOf({ field }: ColumnDefinition, text: Text, value: unknown): boolean {
  if (text === null || value === null || value === undefined) return text === (value ?? null)
  if (typeof value === 'object') return field.settings.toText(value) === text
  try {
    return Object.is(field.settings.cast(text), value)
  } catch {
    return false
  }
}

function sameValue(column: ColumnDefinition, stored: Text, text: Text): boolean {
  if (stored === null || text === null) return stored === text
  try {
    return stored === text || column.field.settings.toText(column.field.settings.cast(stored)) === text
  } catch {
    return false
  }
}

/**
 * A row that was read. Its fields are own properties with values, as those of any object: it can be spread, listed,
 * compared and cloned. Behind them is what the database had, as text, so that a change is seen when it is asked for.
 * Accessors on the model's prototype serve the fields that are not there (yet); a class field of the same name would
 * hide them and is refused.
 */
export class SourceRecord {
  /** A line is taken apart when the first field is asked for. */
  #row: RecordRow | string = NO_VALUES
  /** The same as the row until a value is changed. */
  #stored: RecordRow | string | null = null
  #associations: Map<string, unknown> | null = null

  static {
    internals = {
      row: (record) => record.#current,
      take: (record, row) => {
        record.#row = row
        record.#stored = row
      },
      snapshot: (record) => ({ row: [...record.#current], stored: record.#storedTexts }),
      load: (record, row, given) => {
        const since = record.#assignedSince(given)
        record.#row = row
        record.#stored = row
        ownFieldsOf(record).renew(record, row)
        for (const [column, text] of since) internals.set(record, column, text)
      },
      set: (record, column, text) => {
        const set = record.#set(column, text)
        ownFieldsOf(record).set(record, column, set === null ? null : textToValue(column, set))
      },
      give: (record, column, value) => {
        try {
          internals.set(record, column, valueToText(column, value))
        } catch (error) {
          const fields = ownFieldsOf(record)
          if (!(error instanceof DataQualityError) || !fields.plain.includes(column)) throw error
          // Judged when the record is saved.
          fields.set(record, column, value)
        }
      },
      wayBack: (record) => {
        const given = [...record.#current]
        const before = record.#storedTexts
        return () => {
          const saved = record.#storedTexts
          const row = record.#current
          const back = record.#definition.columns.map(({ index }) =>
            row[index] === saved?.[index] ? given[index] : row[index],
          )
          record.#row = back
          record.#stored = before
          ownFieldsOf(record).renew(record, back)
        }
      },
    }
  }

  get #texts(): RecordRow {
    const row = this.#row
    return typeof row === 'string' ? this.#split(row) : row
  }

  /** Null for a new record. */
  get #storedTexts(): RecordRow | null {
    const stored = this.#stored
    return typeof stored === 'string' ? this.#split(stored) : stored
  }

  /** The texts, with what has been written into the own fields since. */
  get #current(): RecordRow {
    if (!this.#definition.readOnly) for (const column of ownFieldsOf(this).plain) this.#notice(column)
    return this.#texts
  }

  /** What another save has stored meanwhile is not assigned. */
  #assignedSince({ row: before, stored: storedBefore }: Snapshot): readonly (readonly [ColumnDefinition, Text])[] {
    const row = this.#current
    const stored = this.#storedTexts
    return this.#definition.columns.flatMap((column) => {
      const { index } = column
      const text = row[index]
      if (text === undefined || text === before[index]) return []
      return text === stored?.[index] && text !== storedBefore?.[index] ? [] : [[column, text] as const]
    })
  }

  /** Takes over what has been written into an own field. */
  #notice(column: ColumnDefinition): void {
    const own = Object.getOwnPropertyDescriptor(this, column.name)
    if (own === undefined || own.get !== undefined) return
    const text = this.#texts[column.index]
    if (text === undefined || !isValueOf(column, text, own.value)) this.#set(column, valueToText(column, own.value))
  }

  /** Changes a text; one that says the same as what is stored is the stored one. */
  #set(column: ColumnDefinition, text: Text): Text {
    const texts = this.#texts
    const stored = this.#storedTexts?.[column.index]
    const row = texts === this.#stored || texts === NO_VALUES ? [...texts] : texts
    const set = stored !== undefined && sameValue(column, stored, text) ? stored : text
    row[column.index] = set
    this.#row = row
    return set
  }

  #split(line: string): RecordRow {
    const texts = decodeLine(line)
    this.#row = texts
    this.#stored = texts
    return texts
  }

  /** For a getter of a model: `get customer() { return this.belongsTo(Customer, 'customerId') }`. */
  protected belongsTo<T extends SourceRecord>(model: AssociatedModel<T>, foreignKey: string): BelongsTo<T> {
    return this.#association(
      `belongsTo ${model.definition.table} ${foreignKey}`,
      () => new BelongsTo<T>(this, { model, foreignKey }),
    )
  }

  /** For a getter of a model: `get orders() { return this.hasMany(Order, 'customerId') }`. */
  protected hasMany<T extends SourceRecord>(model: AssociatedModel<T>, foreignKey: string): HasMany<T> {
    return this.#association(
      `hasMany ${model.definition.table} ${foreignKey}`,
      () => new HasMany<T>(this, { model, foreignKey }),
    )
  }

  #association<A>(key: string, make: () => A): A {
    this.#associations ??= new Map()
    const known = this.#associations.get(key) as A | undefined
    if (known !== undefined) return known
    const made = make()
    this.#associations.set(key, made)
    return made
  }

  get #definition(): TableDefinition {
    return (this.constructor as unknown as RecordClass).definition
  }

  /** True until the record is in the database. */
  get isNew(): boolean {
    return this.#stored === null
  }

  /** The names of the properties whose values differ from those in the database. */
  get changed(): readonly string[] {
    const row = this.#current
    if (this.#stored === row) return []
    const stored = this.#storedTexts
    return this.#definition.columns
      .filter(({ index }) => row[index] !== (stored === null ? undefined : stored[index]))
      .map(({ name }) => name)
  }

  /** A property's value as it is in the database; null for a new record. */
  was(name: string): unknown {
    const column = columnOf(this.#definition, name)
    return textToValue(column, this.#storedTexts?.[column.index] ?? null)
  }

  /** A property as the database's own text: exact, and without a cast that could refuse it. */
  textOf(name: string): Text {
    const column = columnOf(this.#definition, name)
    if (!this.#definition.readOnly) this.#notice(column)
    return this.#texts[column.index] ?? null
  }

  /** The texts of the selected columns by column name, as they were read: for a person, a log, a quarantine. */
  toTexts(): Record<string, Text> {
    const row = this.#current
    return Object.fromEntries(this.#selected.map(({ column, index }) => [column, row[index] as Text]))
  }

  /** The values by property; in JSON a bigint is text. */
  toJSON(): Record<string, unknown> {
    const asJson = (value: unknown) => (typeof value === 'bigint' ? value.toString() : value)
    return Object.fromEntries(
      this.#selected.map(({ name }) => [name, asJson((this as unknown as Record<string, unknown>)[name])]),
    )
  }

  /** What `console.log` shows: the values by property; a text that its field refuses as it is. */
  [INSPECT](_depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    const shown = ({ name }: ColumnDefinition) => {
      try {
        return (this as unknown as Record<string, unknown>)[name]
      } catch {
        return this.textOf(name)
      }
    }
    const values = Object.fromEntries(this.#selected.map((column) => [column.name, shown(column)]))
    return `${this.constructor.name} ${inspect(values, options)}`
  }

  get #selected(): readonly ColumnDefinition[] {
    const row = this.#texts
    return this.#definition.columns.filter(({ index }) => row[index] !== undefined)
  }
}

/** A record that can be written; the model's statics and `persistence.ts` do the work. */
export class ActiveRecord extends SourceRecord {
  #errors: Errors | null = null

  /** What the last `save` or `isValid` found. */
  get errors(): Errors {
    this.#errors ??= new Errors()
    return this.#errors
  }

  /** For models to override: rules that concern more than one field. Add to `errors`. */
  validate(): void {}
  /** For models to override: runs before each write, inside its transaction. */
  beforeSave(): void | Promise<void> {}
  /** For models to override: runs after each write, inside its transaction. */
  afterSave(): void | Promise<void> {}
}

/** Defines the accessors of a model on its prototype: for fields that a record has not, or not yet. */
export function defineAccessors(prototype: object, definition: TableDefinition): void {
  for (const column of definition.columns) {
    Object.defineProperty(prototype, column.name, {
      enumerable: false,
      configurable: true,
      get(this: SourceRecord) {
        const text = internals.row(this)[column.index]
        if (text === undefined) return notSelected(this, column.name)
        return text === null ? null : textToValue(column, text)
      },
      ...(definition.readOnly
        ? {}
        : {
            set(this: SourceRecord, value: unknown) {
              internals.give(this, column, value)
            },
          }),
    })
  }
}

function notSelected(record: SourceRecord, name: string): undefined {
  if (record.isNew) return undefined
  throw new ConfigurationError(
    `${record.constructor.name}.${name} was not selected, so its value is unknown; add '${name}' to select() or leave select() out`,
  )
}
