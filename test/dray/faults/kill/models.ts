import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, decimal, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { type Timestamp, timestampOf } from 'dray/internal/active-record/values.ts'
import { changedSince, type Extraction, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, type Loading, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline, type RowContext } from 'dray/internal/pipeline/declare/pipeline.ts'
import { instantText, microsOf } from 'dray/internal/pipeline/texts/instant.ts'
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
  readonly load?: 'upsert' | 'replace' | 'append' | 'history' | 'timeline' | 'deletes'
  /** Takes rows without a label. */
  readonly isRepaired?: boolean
  /** So many rows are a run where there are more. */
  readonly firstRows?: number
  /** How many runs try again what is in the quarantine. */
  readonly retry?: number
}

/**
 * The pipeline that is killed, and its two databases. `place` is part of their names, and so of the variables of their
 * URLs.
 */
export function pipelineAt(place: string, shape: PipelineShape = {}) {
  const { partitionRows = 900, concurrency = 2, load = 'upsert', isRepaired = false, retry = 0, firstRows } = shape
  const source = database(`${place}-source`)
  const target = database(`${place}-target`)
  class Item extends source.source('item', {
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
    timeline: () => history(ProductVersion, { by: 'code', ...validity, time: 'source' }),
  }
  const part = firstRows === undefined ? {} : { firstLoad: { rows: firstRows } }
  const extract: Extraction<typeof Item> =
    load === 'replace' || load === 'deletes'
      ? fullLoad(Item, { partitionRows })
      : changedSince(Item, { cursor: 'changedAt', lag: '0s', partitionRows, ...part })
  const items = pipeline(PIPELINE, {
    extract,
    transform: (({ id, code, label, amount, note, changedAt }: Item, row: RowContext) => {
      if (label === null && !isRepaired) return row.reject('label', 'missing')
      if (label === SKIPPED) return null
      const own = { code, label: label ?? MENDED, amount, sourceId: id, changedAt }
      const start = load === 'timeline' ? { validFrom: id % 3n === 0n ? backwards(changedAt) : changedAt } : {}
      return { ...own, ...start, note: note === null ? null : `n:${note}` }
    }) as never,
    load: loads[load]() as Loading<typeof Product>,
    deletes: load === 'deletes' ? { hard: true, most: 1, key: 'code' } : 'ignore',
    quarantine: { rows: 1_000_000, share: 1, retry },
    concurrency,
  })
  return { source, target, items: items as unknown as Pipeline }
}

/** A time that is the earlier the later a change comes, so that each comes late. */
function backwards(changedAt: Timestamp): Timestamp {
  const middle = microsOf('2020-01-01 00:00:00') as bigint
  return timestampOf(instantText(2n * middle - (microsOf(changedAt) as bigint)))
}

export interface Place {
  readonly source: Database
  readonly target: Database
  readonly items: Pipeline
}

export const killed = workflow('killed', { steps: [run({ kind: 'pipeline', name: PIPELINE })] })
export const { definition, machines } = toStatesLanguage(killed)
