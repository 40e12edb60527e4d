import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, decimal, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { type Timestamp, timestampOf } from 'dray/internal/active-record/values.ts'
import { changedSince, counter, type Extraction, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, type Loading, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline, type RowContext } from 'dray/internal/pipeline/declare/pipeline.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import type { SqlTask } from 'dray/internal/pipeline/declare/task.ts'
import type { Unit } from 'dray/internal/pipeline/plan/staged-plan.ts'
import { instantText, microsOf } from 'dray/internal/pipeline/texts/instant.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { familyOf } from './replica-models.ts'
import { tasksOn } from './sql-task-models.ts'

/** Rows with this label are left out by the transform. */
export const SKIPPED = 'skip'
/** Of rows with this label the transform says that they are deleted. */
export const GONE = 'gone'
export const PIPELINE = 'items'
/** What the pipeline's rows have in a table that others write, too. */
export const ORIGIN = 'items'

/** What a row without a label gets once the transform is repaired. */
export const MENDED = 'mended'

export interface PipelineShape {
  readonly partitionRows?: number
  readonly concurrency?: number
  /**
   * An upsert of what has changed unless told; `deletes` is one of everything, which deletes what is gone, `told` one
   * whose rows say so, `first` one of everything that leaves rows alone which are there, `known` one that writes no
   * others, `follow` one that takes over columns which no model knows, `shared` one that deletes among rows of others,
   * `dated` one whose rows say when they have landed, with tasks that are SQL behind it; `replica` takes over the
   * tables of a family in its place.
   */
  readonly load?:
    | 'upsert'
    | 'replace'
    | 'append'
    | 'history'
    | 'timeline'
    | 'deletes'
    | 'told'
    | 'first'
    | 'known'
    | 'follow'
    | 'shared'
    | 'dated'
    | 'replica'
  /** By the stamp of the last change unless told. */
  readonly cursor?: 'first of two stamps' | 'counter' | 'late rows'
  /** Is about the rows below this amount, and deletes those that leave them. */
  readonly below?: string
  /** Reads a view of the rows, or a query that joins them, which have no key but the model's. */
  readonly from?: 'view' | 'query'
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
export function pipelineAt(place: string, shape: PipelineShape = {}): Place {
  const {
    partitionRows = 900,
    concurrency = 2,
    load = 'upsert',
    isRepaired = false,
    retry = 0,
    below,
    firstRows,
  } = shape
  const source = database(`${place}-source`)
  const target = database(`${place}-target`)
  if (load === 'replica') return { source, target, items: familyOf(PIPELINE, source, target), tasks: [] }
  const fields = {
    id: bigint().primaryKey(),
    code: text(),
    label: text().nullable(),
    amount: decimal(18, 4),
    note: text().nullable(),
    changedAt: timestamp(),
    movedAt: timestamp().nullable(),
  }
  class Stored extends source.source(shape.from === 'view' ? 'item_view' : 'item', fields) {}
  const joined = sql`select i.id, i.code, n.label, i.amount, n.note, i.changed_at, n.moved_at from ${Stored} i join ${Stored} n on n.id = i.id where i.code <> ${''}`
  class Item extends (shape.from === 'query' ? source.sourceQuery('joined_items', joined, fields) : Stored) {}
  /** The same table, known by its code. */
  class Coded extends source.source('item', {
    code: text().primaryKey(),
    id: bigint(),
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
  class Dated extends target.table('dated', {
    code: varchar(40).primaryKey(),
    ...content,
    loadedAt: timestamp().landed(),
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
    told: () => upsert(Product, { by: 'code', version: 'changedAt' }),
    first: () => upsert(Product, { by: 'code', update: 'never' }),
    known: () => upsert(Product, { by: 'code', insert: false }),
    follow: () => upsert(Product, { by: 'code', version: 'changedAt' }),
    shared: () => upsert(SharedProduct, { by: ['origin', 'code'], version: 'changedAt' }),
    dated: () => upsert(Dated, { by: 'code', version: 'changedAt' }),
    replace: () => replace(Product),
    append: () => append(ProductEvent),
    history: () => history(ProductVersion, { by: 'code', ...validity, version: 'changedAt' }),
    timeline: () => history(ProductVersion, { by: 'code', ...validity, time: 'source' }),
  }
  // Both are read in the same way.
  const from = load === 'told' ? (Coded as unknown as typeof Item) : Item
  const part = firstRows === undefined ? {} : { firstLoad: { rows: firstRows } }
  const stamped = { lag: '0s', partitionRows, ...part } as const
  const changed = {
    stamp: () => changedSince(from, { cursor: 'changedAt', ...stamped }),
    'first of two stamps': () => changedSince(from, { cursor: ['movedAt', 'changedAt'], ...stamped }),
    counter: () => changedSince(from, { cursor: counter('id'), partitionRows }),
    'late rows': () => changedSince(from, { cursor: 'changedAt', lateRows: 'byKey', ...stamped }),
  }
  const extract: Extraction<typeof Item> = [
    'replace',
    'deletes',
    'first',
    'known',
    'follow',
    'shared',
    'dated',
  ].includes(load)
    ? fullLoad(from, { partitionRows, ...(below === undefined ? {} : { where: ['amount < ?', below] as const }) })
    : changed[shape.cursor ?? 'stamp']()
  const items = pipeline(PIPELINE, {
    extract,
    transform: (({ id, code, label, amount, note, changedAt }: Item, row: RowContext) => {
      if (label === null && !isRepaired) return row.reject('label', 'missing')
      if (label === SKIPPED) return null
      if (label === GONE) return row.delete()
      const own = { code, label: label ?? MENDED, amount, sourceId: id, changedAt }
      const start = load === 'timeline' ? { validFrom: id % 3n === 0n ? backwards(changedAt) : changedAt } : {}
      const origin = load === 'shared' ? { origin: ORIGIN } : {}
      return { ...own, ...start, ...origin, note: note === null ? null : `n:${note}` }
    }) as never,
    load: loads[load]() as Loading<typeof Product>,
    columns: load === 'follow' ? 'follow' : 'fixed',
    deletes:
      {
        deletes: { hard: true, most: 1, key: 'code' } as const,
        told: { told: true } as const,
        shared: { hard: true, most: 1, key: 'code', where: { origin: ORIGIN } as never } as const,
      }[load as string] ?? 'ignore',
    quarantine: { rows: 1_000_000, share: 1, retry },
    concurrency,
  })
  return { source, target, items: items as unknown as Unit, tasks: load === 'dated' ? tasksOn(target, Dated) : [] }
}

/** A time that is the earlier the later a change comes, so that each comes late. */
function backwards(changedAt: Timestamp): Timestamp {
  const middle = microsOf('2020-01-01 00:00:00') as bigint
  return timestampOf(instantText(2n * middle - (microsOf(changedAt) as bigint)))
}

export interface Place {
  readonly source: Database
  readonly target: Database
  readonly items: Unit
  /** Run behind the pipeline, one after the other. */
  readonly tasks: readonly SqlTask[]
}

const workflows = {
  pipeline: workflow('killed', { steps: [run({ kind: 'pipeline', name: PIPELINE })] }),
  replica: workflow('killed', { steps: [run({ kind: 'replica', name: PIPELINE })] }),
  tasks: workflow('killed', {
    steps: [
      run({ kind: 'pipeline', name: PIPELINE }),
      run({ kind: 'task', name: 'of-version' }, { after: [PIPELINE] }),
      run({ kind: 'task', name: 'of-shelf' }, { after: ['of-version'] }),
    ],
  }),
} as const
const compiled = {
  pipeline: toStatesLanguage(workflows.pipeline),
  replica: toStatesLanguage(workflows.replica),
  tasks: toStatesLanguage(workflows.tasks),
}

/** The workflow of a pipeline and the tasks behind it, compiled. */
export function compiledOf({ kind }: Unit, tasks: readonly SqlTask[]): (typeof compiled)[keyof typeof compiled] {
  return compiled[tasks.length === 0 ? kind : 'tasks']
}
