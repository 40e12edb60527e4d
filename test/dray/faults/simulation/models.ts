import { bigint, boolean, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { noRows } from 'dray/internal/pipeline/declare/checks.ts'
import type { DeletesOption } from 'dray/internal/pipeline/declare/deletes-option.ts'
import { changedSince, type Extraction, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, type Loading, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline, type RowContext } from 'dray/internal/pipeline/declare/pipeline.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { task } from 'dray/internal/pipeline/declare/task.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { SimulatedDatabase } from './memory-adapter.ts'

export const source = new SimulatedDatabase('simulated-source')
export const target = new SimulatedDatabase('simulated-target')

/**
 * `code` is what the row is about in the target: its own where the load is by id, shared by several rows where it is by
 * code.
 */
export class Item extends source.source('item', {
  region: bigint().primaryKey(),
  id: bigint().primaryKey(),
  code: text(),
  label: text().nullable(),
  changedAt: timestamp().nullable(),
}) {}

/** The same table, known by its code. */
export class Named extends source.source('item', {
  region: bigint().nullable(),
  id: bigint().nullable(),
  code: text().primaryKey(),
  label: text().nullable(),
  changedAt: timestamp().nullable(),
}) {}

const content = { label: varchar(8), changedAt: timestamp().nullable() }

class Product extends target.table('product', { code: text().primaryKey(), ...content }) {}
class MarkedProduct extends target.table('marked', {
  code: text().primaryKey(),
  ...content,
  deletedAt: timestamp().nullable(),
}) {}
/** Capitals make no difference in its key. */
class FoldedProduct extends target.table('folded', { code: text().primaryKey(), ...content }) {}
/** The same, where several source rows are one of its rows. */
class SpelledProduct extends target.table('spelled', { code: text().primaryKey(), ...content }) {}
/** No two rows have the same label. */
class UniqueProduct extends target.table('labelled', { code: text().primaryKey(), ...content }) {}
/** Nothing keeps a row from being there twice but Dray. */
class ProductEvent extends target.table('event', { code: text(), ...content }) {}
class ProductVersion extends target.table('version', {
  code: text().primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  isCurrent: boolean(),
  ...content,
}) {}
export const targetModels = [Product, MarkedProduct, ProductEvent, ProductVersion] as unknown as readonly ModelClass[]

/** Tables that no model can make. */
export const targetTables = [
  'create table if not exists "folded" ("code" citext not null, "label" varchar(8) not null, "changed_at" timestamptz, primary key ("code"))',
  'create table if not exists "spelled" ("code" citext not null, "label" varchar(8) not null, "changed_at" timestamptz, primary key ("code"))',
  'create table if not exists "labelled" ("code" text not null, "label" varchar(8) not null, "changed_at" timestamptz, unique ("label"), primary key ("code"))',
]

/** The database refuses this one; the model's rules do not. */
export const REFUSED = 'refused'
/** A trigger of the target drops these, where it has one: as they are loaded, or as a replacement is swapped in. */
export const DROPPED_LABEL = 'dropped'
export const SWALLOWED_LABEL = 'swallow'
/** Which labels are what to the pipeline. */
export const LABELS = {
  filtered: 'skip',
  rejected: 'bad',
  tooLong: 'far too long for it',
  /** Beyond the limits: it never leaves the source. */
  huge: 'huge '.repeat(20),
  odd: 'odd',
  /** The row says that it is deleted, where the pipeline takes it so. */
  erased: 'erased',
} as const

const LIMITS = { valueBytes: 60, rowBytes: 200 }

/** Once it is repaired the transform takes what it has rejected. */
function transformOf(isRepaired: boolean) {
  return ({ label, code, changedAt }: Item | Named, row: RowContext) => {
    if (label === LABELS.filtered) return null
    if (label === LABELS.erased) return row.delete()
    if ((label === LABELS.rejected && !isRepaired) || label === null) return row.reject('label', 'bad')
    if (label === LABELS.odd) row.finding('label', 'odd')
    return { code, label, changedAt }
  }
}

export type LoadKind = 'upsert' | 'replace' | 'append' | 'history'

export interface PipelineShape {
  readonly kind: 'incremental' | 'full'
  readonly nulls: 'error' | 'include' | 'exclude'
  readonly lagSeconds: number
  readonly partitionRows: number
  readonly concurrency: number
  /** Whether the load holds an older version back: needed where several rows are about one code. */
  readonly versioned: boolean
  readonly load: LoadKind
  /** `told` are rows that say it themselves. */
  readonly deletes: 'ignore' | 'hard' | 'soft' | 'close' | 'told'
  /** The share of the target that a run may delete. */
  readonly mostDeleted: number
  /** Capitals make no difference in the key, or labels are unique; only in `spelled` the key is not the source's. */
  readonly table?: 'folded' | 'labelled' | 'spelled'
  /** The share of the target that a replace may leave out. */
  readonly mostLost?: number
  /** The others are left alone. */
  readonly writes?: 'new keys' | 'known keys'
  /** Until it is repaired, the pipeline wants no odd row in its table. */
  readonly check?: 'fail' | 'warn'
}

export const PIPELINE = 'items'

export function pipelineOf(shape: PipelineShape, isRepaired: boolean, name = PIPELINE): Pipeline {
  const { partitionRows, concurrency } = shape
  // Both are read in the same way.
  const isItem = shape.deletes !== 'told' && (shape.table === undefined || shape.table === 'spelled')
  const from = (isItem ? Item : Named) as typeof Item
  const extract: Extraction<typeof Item> =
    shape.kind === 'full'
      ? fullLoad(from, { partitionRows })
      : changedSince(from, {
          cursor: 'changedAt',
          lag: `${shape.lagSeconds}s`,
          nulls: shape.nulls,
          partitionRows,
        })
  return pipeline(name, {
    extract,
    transform: transformOf(isRepaired) as never,
    load: loadOf(shape) as Loading<typeof Product>,
    deletes: deletesOf(shape),
    concurrency,
    limits: LIMITS,
    checks: shape.check === undefined || isRepaired ? [] : [noneIsOdd(shape.check)],
    // One row that stays out may keep out any number of others.
    ...(shape.table === 'labelled' ? { quarantine: { rows: 1_000, share: 1 } } : {}),
  }) as unknown as Pipeline
}

function noneIsOdd(severity: 'fail' | 'warn') {
  return noRows('none is odd', sql`select code from ${Product} where label = ${LABELS.odd}`, { severity })
}

function loadOf({ load, versioned, deletes, table, mostLost: most = 1, writes }: PipelineShape) {
  const plain = { folded: FoldedProduct, labelled: UniqueProduct, spelled: SpelledProduct, plain: Product }[
    table ?? 'plain'
  ]
  const version = versioned ? ({ version: 'changedAt' } as const) : {}
  const some = { 'new keys': { update: 'never' } as const, 'known keys': { insert: false } as const }
  switch (load) {
    case 'replace':
      return replace(plain as typeof Product, { allowEmpty: true, most })
    case 'append':
      return append(ProductEvent)
    case 'history':
      return history(ProductVersion, {
        by: 'code',
        validFrom: 'validFrom',
        validTo: 'validTo',
        current: 'isCurrent',
        ...version,
      })
    case 'upsert':
      return upsert((deletes === 'soft' ? MarkedProduct : plain) as typeof Product, {
        by: 'code',
        ...version,
        ...(writes === undefined ? {} : some[writes]),
      })
  }
}

function deletesOf({ deletes, mostDeleted: most }: PipelineShape): DeletesOption<typeof Item, typeof Product> {
  switch (deletes) {
    case 'ignore':
      return 'ignore'
    case 'hard':
      return { hard: true, most, key: 'code' }
    case 'soft':
      return { soft: 'deletedAt' as never, most, key: 'code' }
    case 'told':
      return { told: true }
    case 'close':
      return { close: true, most, key: 'code' }
  }
}

/** The table whose rows are compared with the source. */
export function tableOf({
  load,
  deletes,
  table,
}: PipelineShape): 'product' | 'marked' | 'event' | 'version' | 'folded' | 'labelled' | 'spelled' {
  if (table !== undefined) return table
  if (load === 'append') return 'event'
  if (load === 'history') return 'version'
  return deletes === 'soft' ? 'marked' : 'product'
}

/** A step after the pipeline: it must not run unless the pipeline has succeeded. */
export const afterwards = task('afterwards', async () => {})
export const simulated = workflow('simulated', {
  steps: [run({ kind: 'pipeline', name: PIPELINE }), run(afterwards, { after: [PIPELINE] })],
})
