import { bigint, text, timestamp, varchar } from '#shared/active-record/index.ts'
import {
  changedSince,
  type Extraction,
  fullLoad,
  type Pipeline,
  pipeline,
  type RowContext,
  task,
  upsert,
} from '#shared/pipeline/index.ts'
import { run, workflow } from '#shared/workflow/index.ts'
import { SimulatedDatabase } from './memory-adapter.ts'

export const source = new SimulatedDatabase('simulated-source')
export const target = new SimulatedDatabase('simulated-target')

/** `code` is what the row is about in the target: its own where the load is by id, shared by several rows where it is by code. */
export class Item extends source.source('item', {
  region: bigint().primaryKey(),
  id: bigint().primaryKey(),
  code: text(),
  label: text().nullable(),
  changedAt: timestamp().nullable(),
}) {}
export class Product extends target.table('product', {
  code: text().primaryKey(),
  label: varchar(8),
  changedAt: timestamp().nullable(),
}) {}

/** The database refuses this one; the model's rules do not. */
export const REFUSED = 'refused'
/** Which labels are what to the pipeline. */
export const LABELS = { filtered: 'skip', rejected: 'bad', tooLong: 'far too long for it', odd: 'odd' } as const

function transformItem(item: Item, row: RowContext) {
  const { label, code, changedAt } = item
  if (label === LABELS.filtered) return null
  if (label === LABELS.rejected || label === null) return row.reject('label', 'bad')
  if (label === LABELS.odd) row.finding('label', 'odd')
  return { code, label, changedAt }
}

export type SimulatedPipeline = Pipeline<typeof Item, typeof Product>

export interface PipelineShape {
  readonly kind: 'incremental' | 'full'
  readonly nulls: 'error' | 'include' | 'exclude'
  readonly lagSeconds: number
  readonly partitionRows: number
  readonly concurrency: number
  /** Whether the load holds an older version back: needed where several rows are about one code. */
  readonly versioned: boolean
}

export const PIPELINE = 'items'

export function pipelineOf(shape: PipelineShape): SimulatedPipeline {
  const { partitionRows, concurrency } = shape
  const extract: Extraction<typeof Item> =
    shape.kind === 'full'
      ? fullLoad(Item, { partitionRows })
      : changedSince(Item, {
          cursor: 'changedAt',
          lag: `${shape.lagSeconds}s`,
          nulls: shape.nulls,
          partitionRows,
        })
  return pipeline(PIPELINE, {
    extract,
    transform: transformItem,
    load: upsert(Product, shape.versioned ? { by: 'code', version: 'changedAt' } : { by: 'code' }),
    concurrency,
  })
}

/** A step after the pipeline: it must not run unless the pipeline has succeeded. */
export const afterwards = task('afterwards', async () => {})
export const simulated = workflow('simulated', {
  steps: [run({ kind: 'pipeline', name: PIPELINE }), run(afterwards, { after: [PIPELINE] })],
})
