import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, decimal, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { changedSince, counter, type Extraction, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, type Loading, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline, type RowContext } from 'dray/internal/pipeline/declare/pipeline.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'

/** Rows with this label are left out by the transform. */
export const SKIPPED = 'skip'
export const PIPELINE = 'items'

/** What a row without a label gets once the transform is repaired. */
export const MENDED = 'mended'

export interface PipelineShape {
  readonly partitionRows?: number
  readonly concurrency?: number
  /** An upsert of what has changed unless told; `deletes` is one of everything, which deletes what is gone. */
  readonly load?: 'upsert' | 'replace' | 'append' | 'history' | 'deletes'
  /** By the stamp of the last change unless told. */
  readonly cursor?: 'first of two stamps' | 'counter' | 'late rows'
  /** Is about the rows below this amount, and deletes those that leave them. */
  readonly below?: string
  /** Takes rows without a label. */
  readonly isRepaired?: boolean
}

/**
 * The pipeline that is killed, and its two databases. `place` is part of their names, and so of the variables of their
 * URLs.
 */
export function pipelineAt(place: string, shape: PipelineShape = {}) {
  const { partitionRows = 900, concurrency = 2, load = 'upsert', isRepaired = false, below } = shape
  const source = database(`${place}-source`)
  const target = database(`${place}-target`)
  class Item extends source.source('item', {
    id: bigint().primaryKey(),
    code: text(),
    label: text().nullable(),
    amount: decimal(18, 4),
    note: text().nullable(),
    changedAt: timestamp(),
    movedAt: timestamp().nullable(),
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
    replace: () => replace(Product),
    append: () => append(ProductEvent),
    history: () => history(ProductVersion, { by: 'code', ...validity, version: 'changedAt' }),
  }
  const stamped = { lag: '0s', partitionRows } as const
  const changed = {
    stamp: () => changedSince(Item, { cursor: 'changedAt', ...stamped }),
    'first of two stamps': () => changedSince(Item, { cursor: ['movedAt', 'changedAt'], ...stamped }),
    counter: () => changedSince(Item, { cursor: counter('id'), partitionRows }),
    'late rows': () => changedSince(Item, { cursor: 'changedAt', lateRows: 'byKey', ...stamped }),
  }
  const extract: Extraction<typeof Item> =
    load === 'replace' || load === 'deletes'
      ? fullLoad(Item, { partitionRows, ...(below === undefined ? {} : { where: ['amount < ?', below] as const }) })
      : changed[shape.cursor ?? 'stamp']()
  const items = pipeline(PIPELINE, {
    extract,
    transform: (({ id, code, label, amount, note, changedAt }: Item, row: RowContext) => {
      if (label === null && !isRepaired) return row.reject('label', 'missing')
      if (label === SKIPPED) return null
      const own = { code, label: label ?? MENDED, amount, sourceId: id, changedAt }
      return { ...own, note: note === null ? null : `n:${note}` }
    }) as never,
    load: loads[load]() as Loading<typeof Product>,
    deletes: load === 'deletes' ? { hard: true, most: 1, key: 'code' } : 'ignore',
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
