import { ConfigurationError } from './errors.ts'
import type { ReadingStatics } from './model.ts'
import type { SourceRecord } from './record.ts'
import { Relation } from './relation.ts'
import { columnOf, type TableDefinition } from './table-definition.ts'

// biome-ignore lint/suspicious/noExplicitAny: the other model's fields are its own business.
export type AssociatedModel<T> = (new () => T) & ReadingStatics<any>

interface Described {
  readonly kind: 'belongsTo' | 'hasMany'
  readonly model: AssociatedModel<SourceRecord>
  /** The property that holds the other's key: here for belongsTo, there for hasMany. */
  readonly foreignKey: string
}

/** What a record is associated with: read when asked for, or beforehand for many records at once by `preload`. */
abstract class Association<V> {
  readonly described: Described
  readonly owner: SourceRecord
  #value: { readonly value: V } | null = null

  constructor(owner: SourceRecord, described: Described) {
    this.owner = owner
    this.described = described
  }

  /** What was loaded. Throws when nothing was: one query a record would be slow and easy to overlook. */
  get value(): V {
    if (this.#value !== null) return this.#value.value
    const { model } = this.described
    throw new ConfigurationError(
      `the ${model.definition.table} of a ${this.owner.constructor.name} were not loaded; add preload() to the query, or await load()`,
    )
  }

  /** Reads it, once. */
  async load(): Promise<V> {
    this.#value ??= { value: await this.read() }
    return this.#value.value
  }

  /** Takes what a preload has read. */
  set(value: V): void {
    this.#value = { value }
  }

  protected abstract read(): Promise<V>
}

/** The one record that a foreign key of this record names, or null. */
export class BelongsTo<T> extends Association<T | null> {
  protected async read(): Promise<T | null> {
    const { model, foreignKey } = this.described
    const text = this.owner.textOf(foreignKey)
    if (text === null) return null
    const [key] = keyOf(model.definition)
    return (await new Relation(model as never)
      .where({ [key.name]: key.field.settings.cast(text) } as never)
      .first()) as T | null
  }
}

/** The records whose foreign key names this record. */
export class HasMany<T> extends Association<readonly T[]> {
  /** As a relation, to narrow or order it. */
  // biome-ignore lint/suspicious/noExplicitAny: the other model's fields are its own business.
  get relation(): Relation<T, any> {
    const { model, foreignKey } = this.described
    const [key] = keyOf(definitionOf(this.owner))
    const text = this.owner.textOf(key.name)
    const value = text === null ? [] : columnOf(model.definition, foreignKey).field.settings.cast(text)
    return new Relation(model as never).where({ [foreignKey]: value } as never) as never
  }

  protected read(): Promise<readonly T[]> {
    return this.relation.toArray()
  }
}

function definitionOf(record: SourceRecord): TableDefinition {
  return (record.constructor as unknown as { definition: TableDefinition }).definition
}

function keyOf(definition: TableDefinition) {
  const [key, ...more] = definition.primaryKey
  if (key === undefined || more.length > 0) {
    throw new ConfigurationError(
      `${definition.database}.${definition.table} must have a primary key of one field to be associated`,
    )
  }
  return [key] as const
}

/** Reads one association of many records in one query for each thousand keys. */
export async function preload(records: readonly SourceRecord[], name: string): Promise<void> {
  const associations = records.map((record) => (record as unknown as Record<string, unknown>)[name])
  const [first] = associations
  if (first === undefined) return
  if (!(first instanceof Association)) {
    throw new ConfigurationError(
      `${records[0]?.constructor.name}.${name} is no association; declare it with belongsTo() or hasMany() in a getter`,
    )
  }
  const { kind, model, foreignKey } = first.described
  const ownKey = kind === 'belongsTo' ? foreignKey : keyOf(definitionOf(first.owner))[0].name
  const otherKey = kind === 'belongsTo' ? keyOf(model.definition)[0] : columnOf(model.definition, foreignKey)
  const found = await recordsByKey(
    model,
    otherKey.name,
    records.map((record) => record.textOf(ownKey)),
  )
  records.forEach((record, index) => {
    const matches = found.get(record.textOf(ownKey) ?? '') ?? []
    const association = associations[index] as Association<unknown>
    association.set(kind === 'belongsTo' ? (matches[0] ?? null) : matches)
  })
}

const KEYS_AT_ONCE = 1000

async function recordsByKey(
  model: AssociatedModel<SourceRecord>,
  property: string,
  texts: readonly (string | null)[],
): Promise<Map<string, SourceRecord[]>> {
  const { field } = columnOf(model.definition, property)
  const keys = [...new Set(texts.filter((text) => text !== null))]
  const found = new Map<string, SourceRecord[]>()
  for (let start = 0; start < keys.length; start += KEYS_AT_ONCE) {
    const values = keys.slice(start, start + KEYS_AT_ONCE).map((text) => field.settings.cast(text))
    const records = await new Relation(model as never).where({ [property]: values } as never).toArray()
    for (const record of records as SourceRecord[]) {
      const key = record.textOf(property) ?? ''
      const known = found.get(key)
      if (known === undefined) found.set(key, [record])
      else known.push(record)
    }
  }
  return found
}
