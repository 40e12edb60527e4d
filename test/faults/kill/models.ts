import { bigint, type Database, database, decimal, text, timestamp, varchar } from '#shared/active-record/index.ts'
import { changedSince, type Pipeline, pipeline, type RowContext, upsert } from '#shared/pipeline/index.ts'
import { run, toStatesLanguage, workflow } from '#shared/workflow/index.ts'

/** Rows with this label are left out by the transform. */
export const SKIPPED = 'skip'
export const PIPELINE = 'items'

export interface PipelineShape {
  readonly partitionRows?: number
  readonly concurrency?: number
}

/** The pipeline that is killed, and its two databases. `place` is part of their names, and so of the variables of their URLs. */
export function pipelineAt(place: string, { partitionRows = 900, concurrency = 2 }: PipelineShape = {}) {
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
  /** `code` comes from several rows: the one that changed last wins. The table refuses amounts below zero, which the model does not know. */
  class Product extends target.table('product', {
    code: varchar(40).primaryKey(),
    label: varchar(60),
    amount: decimal(18, 4),
    note: text().nullable(),
    sourceId: bigint(),
    changedAt: timestamp(),
  }) {}
  const items = pipeline(PIPELINE, {
    extract: changedSince(Item, { cursor: 'changedAt', lag: '0s', partitionRows }),
    transform: ({ id, code, label, amount, note, changedAt }: Item, row: RowContext) => {
      if (label === null) return row.reject('label', 'missing')
      if (label === SKIPPED) return null
      return { code, label, amount, note: note === null ? null : `n:${note}`, sourceId: id, changedAt }
    },
    load: upsert(Product, { by: 'code', version: 'changedAt' }),
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
export const { definition } = toStatesLanguage(killed)
