import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, decimal, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { changedSince, type Extraction, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, type Loading, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline, type RowContext } from 'dray/internal/pipeline/declare/pipeline.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'

/** Rows with this label are left out by the transform. */
export const SKIPPED = 'skip'
export const PIPELINE = 'items'
/** What the pipeline's rows have in a table that others write, too. */
export const ORIGIN = 'items'

/** What a row without a label gets once the transform is repaired. */
export const MENDED = 'mended'

export interface PipelineShape {
  readonly partitionRows?: number
  readonly concurrency?: number
  /**
   * An upsert of what has changed unless told; `deletes` is one of everything, which deletes what is gone, `follow` one
   * that takes over columns which no model knows, `shared` one that deletes among rows of others.
   */
  readonly load?: 'upsert' | 'replace' | 'append' | 'history' | 'deletes' | 'follow' | 'shared'
  /** Reads a view of the rows, which has no key but the model's. */
  readonly isView?: boolean
  /** Takes rows without a label. */
  readonly isRepaired?: boolean
}

/**
 * The pipeline that is killed, and its two databases. `place` is part of their names, and so of the variables of their
 * URLs.
 */
export function pipelineAt(place: string, shape: PipelineShape = {}) {
  const { partitionRows = 900, concurrency = 2, load = 'upsert', isView = false, isRepaired = false } = shape
  const source = database(`${place}-source`)
  const target = database(`${place}-target`)
  class Item extends source.source(isView ? 'item_view' : 'item', {
    id: bigint().primaryKey(),
    code: text(),
    label: text().nullable(),
    amount: decimal(18, 4),
    note: text().nullable(),
    changedAt: timestamp(),
  }) {}
  /**
   * `code` comes from several rows: the one that changed last wins. The table refuses amounts below zero, which the
   * model does not know.
   */
  const content = {
    label: varchar(60),
    amount: decimal(18, 4),
    note: text().nullable(),
    sourceId: bigint(),
    changedAt: timestamp(),
  }
  class Product extends target.table('product', { code: varchar(40).primaryKey(), ...content }) {}
  class SharedProduct extends target.table('shared', {
    origin: varchar(10).primaryKey(),
    code: varchar(40).primaryKey(),
    ...content,
  }) {}
  class ProductEvent extends target.table('event', { code: varchar(40), ...content }) {}
  class ProductVersion extends target.table('version', {
    code: varchar(40).primaryKey(),
    validFrom: timestamp().primaryKey(),
    validTo: timestamp().nullable(),
    isCurrent: boolean(),
    ...content,
  }) {}
  const validity = { validFrom: 'validFrom', validTo: 'validTo', current: 'isCurrent' } as const
  const loads = {
    upsert: () => upsert(Product, { by: 'code', version: 'changedAt' }),
    deletes: () => upsert(Product, { by: 'code', version: 'changedAt' }),
    follow: () => upsert(Product, { by: 'code', version: 'changedAt' }),
    shared: () => upsert(SharedProduct, { by: ['origin', 'code'], version: 'changedAt' }),
    replace: () => replace(Product),
    append: () => append(ProductEvent),
    history: () => history(ProductVersion, { by: 'code', ...validity, version: 'changedAt' }),
  }
  const extract: Extraction<typeof Item> =
    load === 'replace' || load === 'deletes' || load === 'follow' || load === 'shared'
      ? fullLoad(Item, { partitionRows })
      : changedSince(Item, { cursor: 'changedAt', lag: '0s', partitionRows })
  const items = pipeline(PIPELINE, {
    extract,
    transform: (({ id, code, label, amount, note, changedAt }: Item, row: RowContext) => {
      if (label === null && !isRepaired) return row.reject('label', 'missing')
      if (label === SKIPPED) return null
      const own = { code, label: label ?? MENDED, amount, sourceId: id, changedAt }
      const origin = load === 'shared' ? { origin: ORIGIN } : {}
      return { ...own, ...origin, note: note === null ? null : `n:${note}` }
    }) as never,
    load: loads[load]() as Loading<typeof Product>,
    columns: load === 'follow' ? 'follow' : 'fixed',
    deletes:
      load === 'shared'
        ? { hard: true, most: 1, key: 'code', where: { origin: ORIGIN } as never }
        : load === 'deletes'
          ? { hard: true, most: 1, key: 'code' }
          : 'ignore',
    quarantine: { rows: 1_000_000, share: 1 },
    concurrency,
  })
  return { source, target, items: items as unknown as Pipeline }
}

export interface Place {
  readonly source: Database
  readonly target: Database
  readonly items: Pipeline
}

export const killed = workflow('killed', { steps: [run({ kind: 'pipeline', name: PIPELINE })] })
export const { definition, machines } = toStatesLanguage(killed)
