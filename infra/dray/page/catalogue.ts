import { globSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TableDefinition } from 'dray/internal/active-record/table-definition.ts'
import type { Check } from 'dray/internal/pipeline/declare/checks.ts'
import type { Extraction } from 'dray/internal/pipeline/declare/extraction.ts'
import type { Loading } from 'dray/internal/pipeline/declare/loading.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { Task } from 'dray/internal/pipeline/declare/task.ts'
import type { Workflow, WorkflowStep } from 'dray/internal/workflow/workflow.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import type { CatalogueDocument, CheckDocument, ModelDocument, UnitDocument, WorkflowDocument } from './documents.ts'
import { commentsIn, type SourceComments } from './source-comments.ts'

interface Model {
  readonly name: string
  readonly definition: TableDefinition
}

interface Found {
  readonly unit: UnitDocument
  readonly models: readonly Model[]
}

/** What the project declares: workflows, what their steps run, and the models of these. */
export async function catalogueOf(project: LoadedProject): Promise<CatalogueDocument> {
  const steps = new Map(project.workflows.flatMap((one) => one.steps).map((step) => [step.name, step]))
  const found = await Promise.all([...steps.values()].map((step) => foundOf(step, project)))
  const comments = commentsIn(
    globSync('shared/models/**/*.ts', { cwd: project.folder }).map((file) => join(project.folder, file)),
  )
  const models = new Map(found.flatMap((one) => one.models).map((model) => [tableOf(model.definition), model]))
  return {
    workflows: project.workflows.map(workflowOf),
    units: found.map(({ unit }) => unit),
    models: [...models.values()]
      .map((model) => modelOf(model, comments))
      .sort((one, other) => (one.table < other.table ? -1 : 1)),
  }
}

function workflowOf({ name, owner, steps, schedules, events, minInterval }: Workflow): WorkflowDocument {
  return {
    name,
    owner: owner ?? null,
    steps: steps.map(({ name: step, kind, after }) => ({ name: step, kind, after })),
    schedules,
    events,
    minInterval,
  }
}

async function foundOf(step: WorkflowStep, project: LoadedProject): Promise<Found> {
  const empty = emptyUnit(step, project.folder)
  try {
    if (step.kind === 'task') return ofTask(empty, await project.findTask(step.name))
    if (step.kind === 'reconcile')
      return { unit: { ...empty, extract: `compares ${step.reconciled?.pipeline}` }, models: [] }
    const unit = await project.findUnit(step.name)
    return unit.kind === 'replica' ? ofReplica(empty, unit) : ofPipeline(empty, unit)
  } catch (error) {
    return { unit: { ...empty, fault: (error as Error).message }, models: [] }
  }
}

function emptyUnit({ kind, name }: WorkflowStep, folder: string): UnitDocument {
  const files = filesIn(join(folder, 'functions', name))
  const source = files.find((file) => file === 'pipeline.ts' || file === 'task.ts')
  const comments = source === undefined ? [] : [...commentsIn([join(folder, 'functions', name, source)]).values()]
  return {
    kind: kind === 'table' ? 'replica' : kind,
    name,
    comment: comments.at(-1) ?? null,
    owner: null,
    reads: [],
    writes: [],
    extract: null,
    load: null,
    isWindowed: false,
    contract: null,
    deletes: null,
    checks: [],
    tests: files.filter((file) => file.endsWith('.test.ts')),
    fixtures: files.filter((file) => file.endsWith('.fixture.json')),
    fault: null,
  }
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function ofPipeline(empty: UnitDocument, { extract, load, checks, owner, contract, deletes }: Pipeline): Found {
  const models = [extract.model, load.target] as readonly Model[]
  const target = tableOf(load.target.definition)
  return {
    unit: {
      ...empty,
      owner,
      reads: [tableOf(extract.source.definition)],
      writes: [target],
      extract: extractText(extract),
      load: loadText(load),
      isWindowed: extract.cursor !== null,
      contract,
      deletes: deletes.kind,
      checks: checks.map((check) => checkOf(check, target)),
    },
    models,
  }
}

function ofReplica(empty: UnitDocument, replica: Replica): Found {
  const { from, into, owner, deletes } = replica
  const unit = { ...empty, owner, deletes, reads: [`${from.name}.*`], writes: [`${into.name}.*`] }
  return { unit: { ...unit, extract: 'all tables as they are', load: 'copies', checks: checksOf(replica) }, models: [] }
}

/** Those of all its tables, and those of one, which is named as in its source. */
function checksOf({ from, into, checks, overrides }: Replica): CheckDocument[] {
  const ofAll = (check: Check) => `${into.name}.*${check.expects.kind === 'freshness' ? ' that have a cursor' : ''}`
  return [
    ...checks.map((check) => checkOf(check, ofAll(check))),
    ...[...overrides].flatMap(([table, { checks: its = [] }]) =>
      its.map((check) => checkOf(check, `${from.name}.${table}`)),
    ),
  ]
}

function ofTask(empty: UnitDocument, { reads, writes, checks, owner }: Task): Found {
  const models = [...reads, ...writes] as unknown as readonly Model[]
  return {
    unit: {
      ...empty,
      owner,
      reads: reads.map(({ definition }) => tableOf(definition)),
      writes: writes.map(({ definition }) => tableOf(definition)),
      checks: checks.flatMap(({ model, checks: its }) => its.map((check) => checkOf(check, tableOf(model.definition)))),
    },
    models,
  }
}

const checkOf = ({ name, severity }: Check, table: string): CheckDocument => ({ name, table, severity })

const tableOf = ({ database, table }: TableDefinition): string => `${database}.${table}`

function extractText({ cursor }: Extraction): string {
  return cursor === null ? 'all rows' : `what has changed by ${cursor.name}`
}

function loadText({ kind, by }: Loading): string {
  return by.length === 0 ? kind : `${kind} by ${by.join(', ')}`
}

function modelOf({ name, definition }: Model, comments: SourceComments): ModelDocument {
  return {
    table: tableOf(definition),
    model: name,
    comment: comments.get(name) ?? null,
    columns: definition.columns.map(({ name: field, column, field: { settings } }) => ({
      name: field,
      column,
      type: typeText(settings),
      isNullable: settings.isNullable,
      isKey: settings.isPrimaryKey,
      comment: comments.get(`${name}.${field}`) ?? null,
    })),
  }
}

function typeText({ kind, length, precision, scale }: TableDefinition['columns'][number]['field']['settings']): string {
  const sizes = [length, precision, scale].filter((one) => one !== null)
  return sizes.length === 0 ? kind : `${kind}(${sizes.join(', ')})`
}
