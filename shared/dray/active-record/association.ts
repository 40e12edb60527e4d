import type { Text } from '#dray/block/block.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { QueriedModel } from './model-table.ts'

/** What an association needs of a record. */
export interface AssociatedRecord {
  /** A property as the database's own text. */
  textOf(name: string): Text
}

/** The class of the records on the other side. */
export type AssociatedModel<T> = (new () => T) & QueriedModel

/** How two models are associated. */
export interface Described<T> {
  /** The model on the other side. */
  readonly model: AssociatedModel<T>
  /** The property that holds the other's key: here for belongsTo, there for hasMany. */
  readonly foreignKey: string
}

/** What a record is associated with: read when asked for, or beforehand for many records at once by `preload`. */
export abstract class Association<T, V> {
  readonly described: Described<T>
  readonly owner: AssociatedRecord
  #value: { readonly value: V } | null = null

  constructor(owner: AssociatedRecord, described: Described<T>) {
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

  /** Reads those of many records at once; `all` are described as this one is. */
  abstract loadAll(all: readonly this[]): Promise<void>
}

/** Reads one association of many records in one query for each thousand keys. */
export async function preload(records: readonly object[], name: string): Promise<void> {
  const associations = records.map((record) => (record as Record<string, unknown>)[name])
  const [first] = associations
  if (records.length === 0) return
  if (!(first instanceof Association)) {
    throw new ConfigurationError(
      `${records[0]?.constructor.name}.${name} is no association; declare it with belongsTo() or hasMany() in a getter`,
    )
  }
  await first.loadAll(associations as (typeof first)[])
}
