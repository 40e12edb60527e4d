import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import type { Plan } from 'dray/internal/pipeline/plan/staged-plan.ts'
import type { ReplicatedColumn, ReplicatedTable } from 'dray/internal/pipeline/rows/replicated-table.ts'
import { readJson } from 'dray/internal/staging/documents.ts'
import { planPrefix } from 'dray/internal/staging/keys.ts'
import type { PipelineState } from 'dray/internal/state/state-store.ts'
import type { Stores } from '#dray-infra/runs/stores.ts'
import type {
  CatalogueDocument,
  ColumnDocument,
  CopiesDocument,
  CopyDocument,
  ModelDocument,
  UnitDocument,
} from './documents.ts'

/** Plans that are read at once. */
const AT_ONCE = 25

type StagedPlan = Pick<Plan, 'table' | 'schema'>

/** The tables of replicas as the plans of their last runs have them; a plan is read once, since it never changes. */
export class Copies {
  readonly #stores: Stores
  readonly #plans = new Map<string, StagedPlan>()

  constructor(stores: Stores) {
    this.#stores = stores
  }

  async of({ units }: CatalogueDocument): Promise<CopiesDocument> {
    const replicas = new Map(units.filter(({ kind }) => kind === 'replica').map((unit) => [unit.name, unit]))
    if (replicas.size === 0) return { tables: [], unknown: [] }
    const states = (await this.#stores.state.pipelines())
      .filter(({ pipeline }) => isTableStep(pipeline) && replicas.has(unitOf(pipeline)))
      .sort((one, other) => (one.pipeline < other.pipeline ? -1 : 1))
    const tables: CopyDocument[] = []
    const unknown: string[] = []
    for (let from = 0; from < states.length; from += AT_ONCE) {
      const some = states.slice(from, from + AT_ONCE)
      const plans = await Promise.all(some.map((state) => this.#planOf(state)))
      for (const [place, { pipeline }] of some.entries()) {
        const plan = plans[place]
        if (plan?.table === undefined) unknown.push(pipeline)
        else tables.push(copyOf(pipeline, replicas.get(unitOf(pipeline)) as UnitDocument, plan.table, plan))
      }
    }
    return { tables, unknown }
  }

  /** Of the run that committed last; null where none did, its plan has expired, or is that of a run it resumed. */
  async #planOf({ pipeline, commitOwner }: PipelineState): Promise<StagedPlan | null> {
    if (commitOwner === null) return null
    const prefix = planPrefix(commitOwner, pipeline)
    const known = this.#plans.get(prefix)
    if (known !== undefined) return known
    const { staging } = this.#stores
    const [key] = await staging.list(prefix)
    if (key === undefined) return null
    const { table, schema } = await readJson<StagedPlan>(staging, key)
    const plan = { ...(table === undefined ? {} : { table }), ...(schema === undefined ? {} : { schema }) }
    this.#plans.set(prefix, plan)
    return plan
  }
}

function copyOf(pipeline: string, replica: UnitDocument, table: ReplicatedTable, { schema }: StagedPlan): CopyDocument {
  const source = `${databaseOf(replica.reads)}.${table.source}`
  const target = `${databaseOf(replica.writes)}.${table.target}`
  const named = (name: string | null) => table.columns.find((column) => column.name === name)?.source.column
  const key = table.key.map((name) => named(name) ?? name)
  const checks = replica.checks.filter(
    ({ table: its }) =>
      its === source || its === replica.writes[0] || (table.cursor !== null && its.startsWith(`${replica.writes[0]} `)),
  )
  return {
    unit: {
      ...replica,
      kind: 'table',
      name: pipeline,
      comment: `A table of the replica ${replica.name}.`,
      reads: [source],
      writes: [target],
      extract: table.cursor === null ? 'all rows' : `what has changed by ${named(table.cursor)}`,
      load: key.length === 0 ? table.load : `${table.load} by ${key.join(', ')}`,
      isWindowed: table.cursor !== null,
      deletes: table.deletes,
      checks: checks.map((check) => ({ ...check, table: target })),
    },
    source: modelOf(source, sourceColumns(table, schema)),
    target: modelOf(target, targetColumns(table, schema)),
  }
}

const databaseOf = ([all = '']: readonly string[]): string => all.replace(/\.\*$/, '')

function modelOf(table: string, columns: readonly ColumnDocument[]): ModelDocument {
  return { table, model: null, comment: null, columns }
}

type Schema = StagedPlan['schema']
type Live = Pick<ColumnDocument, 'column' | 'type' | 'isNullable'>

/** The columns of a table when the run was planned; by its plan alone where that is older than these are kept. */
function liveColumns(schema: Schema, side: 'source' | 'target', { columns }: ReplicatedTable): readonly Live[] {
  const live = schema?.[side] ?? []
  if (live.length > 0)
    return live.map(({ name, type, nullable }) => ({ column: name, type: type.toLowerCase(), isNullable: nullable }))
  return columns.map((one) => ({ column: one[side].column, type: one[side].kind, isNullable: one.isNullable }))
}

function sourceColumns(table: ReplicatedTable, schema: Schema): ColumnDocument[] {
  const bySource = new Map(table.columns.map((column) => [column.source.column, column]))
  return liveColumns(schema, 'source', table).map((live) => {
    const found = bySource.get(live.column)
    return columnOf(live, table, found, found === undefined ? 'is not copied' : MASKED[found.mask ?? ''])
  })
}

function targetColumns(table: ReplicatedTable, schema: Schema): ColumnDocument[] {
  const byTarget = new Map(table.columns.map((column) => [column.target.column, column]))
  const masked = new Set(table.masked.map(({ column }) => column))
  return liveColumns(schema, 'target', table).map((live) => {
    const found = byTarget.get(live.column)
    const said =
      live.column === table.mark?.column
        ? 'when its source row was found to be gone'
        : found === undefined
          ? masked.has(live.column)
            ? MASKED.null
            : 'is not of the source'
          : found.source.column === live.column
            ? MASKED[found.mask ?? '']
            : `is ${found.source.column} of the source`
    return columnOf(live, table, found, said)
  })
}

const MASKED: Readonly<Record<string, string>> = {
  null: 'is masked: NULL is loaded',
  hash: 'is masked: a hash is loaded',
}

function columnOf(
  live: Live,
  { key }: ReplicatedTable,
  column: ReplicatedColumn | undefined,
  comment: string | undefined,
): ColumnDocument {
  const isKey = column !== undefined && key.includes(column.name)
  return { ...live, name: live.column, isKey, comment: comment ?? null }
}
