import { Database as ConnectedDatabase, type DatabaseOptions } from '#dray/database/database.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { Fields } from './fields.ts'
import { defineModel, type ModelClass, type SourceClass } from './model.ts'
import type { SqlTemplate } from './query.ts'
import { QueryDatabase } from './query-database.ts'
import { sourceQueryOf } from './source-query.ts'

const databases = new Map<string, Database>()

/** The database of a name; connects on the first query. */
export function database(name: string, options: DatabaseOptions = {}): Database {
  const known = databases.get(name)
  if (known !== undefined) return known
  if (!/^[\w-]+$/.test(name)) throw new ConfigurationError(refusal(name))
  const created = new Database(name, options)
  databases.set(name, created)
  return created
}

/** The environment names its URL. */
function refusal(name: string): string {
  return `database(${JSON.stringify(name)}): no variable could be named after it, so nothing was done; name it in kebab-case, as sales or sales-eu`
}

/** Every database named so far in this process. */
export function knownDatabases(): readonly Database[] {
  return [...databases.values()]
}

/** Closes every connection of the process; the next query opens new ones. */
export async function closeDatabases(): Promise<void> {
  await Promise.all([...databases.values()].map((known) => known.close()))
}

/** A named connection, and the models of its tables. */
export class Database extends ConnectedDatabase {
  readonly #models: ModelClass[] = []

  /** A model that reads and writes a table. */
  table<F extends Fields>(table: string, fields: F): ModelClass<F> {
    const model = defineModel(this, { table, readOnly: false }, fields)
    this.#models.push(model as unknown as ModelClass)
    return model
  }

  /** A model that only reads: it has no `save`. */
  source<F extends Fields>(table: string, fields: F): SourceClass<F> {
    const model = defineModel(this, { table, readOnly: true }, fields)
    this.#models.push(model as unknown as ModelClass)
    return model as unknown as SourceClass<F>
  }

  /**
   * A model of the rows that a SELECT gives, which is only read. In the SQL another model stands for its table, a field
   * for its column; other values are bound. The name is what messages and lineage call the query.
   *
   * @example
   * class OpenOrder extends crm.sourceQuery(
   *   'open_orders',
   *   sql`select o.id, o.amount, c.country from ${SourceOrder} o join ${SourceCustomer} c on c.id = o.customer_id`,
   *   { id: bigint().primaryKey(), amount: decimal(12, 2), country: text() },
   * ) {}
   */
  sourceQuery<F extends Fields>(name: string, query: SqlTemplate, fields: F): SourceClass<F> {
    const owner = { database: this.name, table: name, readOnly: true, query: sourceQueryOf(query, this.name, name) }
    return defineModel(new QueryDatabase(this, owner), owner, fields) as unknown as SourceClass<F>
  }

  /** The models bound to this database, as they were declared. */
  get models(): readonly ModelClass[] {
    return this.#models
  }
}
