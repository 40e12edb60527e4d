import type { Database } from '#dray/active-record/database.ts'
import { type TableName, tableNameOf, tableText } from '#dray/database/table-name.ts'
import { ConfigurationError } from '#dray/errors.ts'
import { tableStep } from '#dray/messages/step-name.ts'
import type { Check } from './checks.ts'
import type { Duration } from './duration.ts'
import type { NullCursors } from './extraction.ts'
import { ownerOf } from './owner.ts'
import type { QuarantineThreshold } from './pipeline.ts'
import type { RowLimits } from './row-limits.ts'

/** A table of the source that is replicated. */
export interface ReplicatedTable extends TableName {
  /** `orders`, or `billing.orders` where the connection does not find it by its name alone. */
  readonly text: string
}

/** What becomes of rows of a replica whose source row is gone; a row that is marked has the time in `_deleted_at`. */
export type ReplicaDeletes = 'ignore' | 'hard' | 'soft'

/** How a column is masked: nothing of it is read, or a hash with the replica's key stands in its place. */
export type Mask = 'null' | 'hash'

/** What holds of one table in place of what the replica says. */
export interface TableOverride {
  /** The table that it becomes, in place of what `name` says. */
  readonly name?: string
  /** The columns that tell its rows apart, where no primary or unique key of the source does: of a view. */
  readonly key?: string | readonly string[]
  /** The column, or the first of them that the table has; false for a full load in each run. */
  readonly cursor?: string | readonly string[] | false
  /** The zone of the cursor, where its column has none. */
  readonly zone?: string
  readonly lag?: Duration
  readonly nulls?: NullCursors
  /** Of a table without a key: rows behind the cursor are appended, in place of all rows replaced. */
  readonly load?: 'append'
  readonly deletes?: ReplicaDeletes
  /** The share of its rows that a run may delete, or leave out of a table without a key; 0.1 by default. */
  readonly most?: number
  /** Columns that are not taken over. */
  readonly except?: readonly string[]
  /** Columns of which NULL is loaded, or how each is masked. */
  readonly mask?: readonly string[] | Readonly<Record<string, Mask>>
  readonly partitionRows?: number
  /** Of its copy, by the columns of the source. One takes the place of the replica's of the same name. */
  readonly checks?: readonly Check[]
}

export interface ReplicaOptions {
  readonly from: Database
  /**
   * Which tables: `'*'` for those that the connection finds by their name, `'billing.*'` for those of a schema,
   * `'!audit_*'` for none of these. Views are taken where a name without a star names them. `['*']` by default.
   */
  readonly tables?: string | readonly string[]
  readonly into: Database
  /** The table that one becomes; by default its own name, behind its schema where it has one: `billing_orders`. */
  readonly name?: (table: ReplicatedTable) => string
  /**
   * Columns that every change of a row moves on. The first that a table has is its cursor, where it is a moment that is
   * never NULL and an index begins with it; other tables are read whole in each run.
   */
  readonly cursor?: string | readonly string[]
  /** `'ignore'` by default. */
  readonly deletes?: ReplicaDeletes
  /** New columns are added to the target (`'follow'`, by default), or left out and told of (`'fixed'`). */
  readonly columns?: 'follow' | 'fixed'
  /** By the table of the source: `orders`, `billing.orders`. */
  readonly overrides?: Readonly<Record<string, TableOverride>>
  /** The key of masks by `'hash'`; asked for in the function that transforms. */
  readonly maskKey?: () => string
  readonly quarantine?: Partial<Omit<QuarantineThreshold, 'retry'>>
  readonly limits?: Partial<RowLimits>
  /** Of each table: `rowCount`, and `freshness` of those that have a cursor. */
  readonly checks?: readonly Check[]
  /** Partitions of a table at once; 2 by default. */
  readonly concurrency?: number
  /** Who answers for it, a name and a contact: `'data team <data@example.org>'`. */
  readonly owner?: string
  /** Connections of the source at once, over all tables; 8 by default. */
  readonly maxConnections?: number
}

/** Tables of a database that are taken over as they are, each by a pipeline that is known from the live catalogue. */
export interface Replica {
  readonly kind: 'replica'
  readonly name: string
  readonly from: Database
  readonly into: Database
  readonly tables: readonly string[]
  readonly nameOf: (table: ReplicatedTable) => string
  readonly cursor: readonly string[]
  readonly deletes: ReplicaDeletes
  readonly follows: boolean
  /** By the one text of a table's name. */
  readonly overrides: ReadonlyMap<string, TableOverride>
  readonly maskKey: (() => string) | null
  readonly quarantine: Partial<QuarantineThreshold>
  readonly limits: Partial<RowLimits>
  readonly checks: readonly Check[]
  readonly owner: string | null
  readonly concurrency: number
  /** Tables at once. */
  readonly tablesAtOnce: number
  readonly databases: readonly string[]
  /** One table as a separate step: the replica leaves it out of the workflow's run of all others. */
  readonly table: (name: string) => ReplicaTableUnit
}

/** A table of a replica as a step of a workflow. */
export interface ReplicaTableUnit {
  readonly kind: 'table'
  /** `sales-raw/orders` */
  readonly name: string
  /** The replica. */
  readonly of: string
  readonly databases: readonly string[]
}

const CONCURRENCY = 2
const CONNECTIONS = 8

/**
 * All tables of a database into another one, from one declaration: each table has its pipeline in all that is
 * kept (`last_run`, quarantine, metrics), called `<name>/<table>`. The name is the folder under `functions/`.
 */
export function replicate(name: string, options: ReplicaOptions): Replica {
  const refuse = (what: string) => new ConfigurationError(`replicate('${name}'): ${what}`)
  const { from, into, concurrency = CONCURRENCY, maxConnections = CONNECTIONS } = options
  for (const [what, number] of Object.entries({ concurrency, maxConnections })) {
    if (!Number.isSafeInteger(number) || number < 1) throw refuse(`${what} is ${number}; give a whole number from 1 on`)
  }
  const tables = [options.tables ?? '*'].flat()
  if (tables.every((pattern) => pattern.startsWith('!'))) {
    throw refuse(`tables names none to take (${tables.join(', ') || 'it is empty'}); write ['*', '!audit_*']`)
  }
  const overrides = overridesOf(options.overrides ?? {})
  for (const [table, { mask = [] }] of overrides) {
    const isHashed = !Array.isArray(mask) && Object.values(mask).includes('hash')
    if (isHashed && options.maskKey === undefined) {
      throw refuse(
        `${table} has columns that are masked by a hash, and there is no key, without which a hash tells what it hides; give maskKey: () => …, from a secret`,
      )
    }
  }
  const ofSome = options.checks?.find(({ expects: { kind } }) => kind !== 'rowCount' && kind !== 'freshness')
  if (ofSome !== undefined) {
    throw refuse(
      `the check ${ofSome.name} is about columns, which tables do not share; checks of all tables are rowCount() and freshness(), and those of one stand in overrides: { orders: { checks: [${ofSome.expects.kind}(…)] } }`,
    )
  }
  const databases = [...new Set([from.name, into.name])]
  return {
    kind: 'replica',
    name,
    from,
    into,
    tables,
    nameOf: options.name ?? ownName,
    cursor: [options.cursor ?? []].flat(),
    deletes: options.deletes ?? 'ignore',
    follows: options.columns !== 'fixed',
    overrides,
    maskKey: options.maskKey ?? null,
    quarantine: options.quarantine ?? {},
    limits: options.limits ?? {},
    checks: options.checks ?? [],
    owner: ownerOf(`replicate('${name}')`, options.owner),
    concurrency: Math.min(concurrency, maxConnections),
    tablesAtOnce: Math.max(1, Math.floor(maxConnections / concurrency)),
    databases,
    table: (table) => ({ kind: 'table', name: tableStep(name, tableText(tableNameOf(table))), of: name, databases }),
  }
}

function overridesOf(given: Readonly<Record<string, TableOverride>>): ReadonlyMap<string, TableOverride> {
  return new Map(Object.entries(given).map(([table, override]) => [tableText(tableNameOf(table)), override]))
}

function ownName({ schema, name }: ReplicatedTable): string {
  return tableText({ schema: null, name: schema === null ? name : `${schema}_${name}` })
}
