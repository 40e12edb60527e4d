import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Database, database } from 'dray/internal/active-record/database.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { type Habit, habitOf, inHabit } from 'dray/internal/active-record/names.ts'
import type { TableDefinition } from 'dray/internal/active-record/table-definition.ts'
import { tableNameOf } from 'dray/internal/database/table-name.ts'
import { ConfigurationError, TerminalError, TransientError } from 'dray/internal/errors.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { databaseNamed } from '#dray-infra/local/databases.ts'
import { knownNames } from '#dray-infra/project/known-names.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import type { AddedTable } from './added-table.ts'
import { askedOf, tablesMeant } from './asked-tables.ts'
import { FileChanges } from './file-changes.ts'
import { type KnownPipeline, knownPipelines } from './known-pipelines.ts'
import { livePipeline } from './live-pipeline.ts'
import { listTables, readTable } from './live-table.ts'
import { classOf, hasClass, type ModelsFile, modelsFile } from './models-file.ts'
import { className, constantName, kebabCase } from './names.ts'
import { plannedTable, targetFault } from './planned-table.ts'
import { type AddedStep, addDatabase, addSteps } from './project-files.ts'
import { type AskedTarget, targetOf } from './target-of.ts'
import { writeTable } from './written-files.ts'

export interface AddOptions {
  /** `sales.orders`, `sales.*` */
  readonly tables: readonly string[]
  /** A database, or a table of one: `warehouse.invoice`. */
  readonly to: string | null
  readonly name: string | null
  readonly workflow: string | null
  readonly cursor: string | null
  /** The columns that tell rows apart, where the source has no such key, or another one is meant. */
  readonly key: readonly string[] | null
  readonly isMasked: boolean
}

export interface PlannedTable {
  readonly added: AddedTable
  readonly live: Pipeline
  readonly model: ModelClass
  /** The target has no such table yet. */
  readonly isMissing: boolean
}

export interface Skipped {
  readonly table: string
  readonly reason: string
}

export interface AddPlan {
  readonly tables: readonly PlannedTable[]
  /** Tables for which nothing is to be done, or nothing can be. */
  readonly skipped: readonly Skipped[]
  readonly changes: FileChanges
  /** What is left to do by hand. */
  readonly notes: readonly string[]
  close(): Promise<void>
}

/** Reads the tables and says what would be written; writes nothing. The databases have to be up. */
export async function planAdd(project: LoadedProject, options: AddOptions): Promise<AddPlan> {
  const planner = new Planner(project, options, await targetOf(options.to, project), await knownPipelines(project))
  try {
    await planner.plan()
    return planner
  } catch (error) {
    await planner.close()
    throw error
  }
}

/** Its server refuses or cannot read this one: no right, a policy, a foreign server that is away, a broken view. */
function isOfTable(error: unknown): error is Error {
  return [ConfigurationError, TerminalError, TransientError].some((Kind) => error instanceof Kind)
}

function refuseOtherKey(definition: TableDefinition | null, key: readonly string[] | null): void {
  const known = definition?.primaryKey.map(({ column }) => column) ?? []
  if (definition === null || key === null || known.join() === key.join()) return
  throw new ConfigurationError(
    `${definition.database}.${definition.table} has a model already, whose key is ${known.join(', ') || 'none'}, and --key names ${key.join(', ')}, so nothing was written; mark its fields with primaryKey(), or leave --key out.`,
  )
}

/** Of a view nobody but its owner knows a key. */
function keylessView(database: string, table: string): string {
  return `${database}.${table} is a view, of which no key is known, so each run replaces all rows; what tells its rows apart is named by --key <column>,<column>, and rows are then updated and deleted by it.`
}

class Planner implements AddPlan {
  readonly tables: PlannedTable[] = []
  readonly skipped: Skipped[] = []
  readonly notes: string[] = []
  readonly changes: FileChanges
  readonly #project: LoadedProject
  readonly #options: AddOptions
  readonly #target: AskedTarget
  readonly #known: readonly KnownPipeline[]
  /** Of this plan alone, so that its models are not taken for the project's. */
  readonly #databases = new Map<string, Database>()
  readonly #steps: AddedStep[] = []

  constructor(project: LoadedProject, options: AddOptions, target: AskedTarget, known: readonly KnownPipeline[]) {
    this.#project = project
    this.#options = options
    this.#target = target
    this.#known = known
    this.changes = new FileChanges(project.folder)
  }

  async plan(): Promise<void> {
    const asked = this.#options.tables.map(askedOf)
    await databaseNamed(this.#target.database, this.#project)
    const wanted: { readonly database: string; readonly table: string; readonly isPattern: boolean }[] = []
    for (const one of asked) {
      await databaseNamed(one.database, this.#project)
      const listed = await listTables(this.#database(one.database))
      const isPattern = one.table.includes('*')
      for (const table of tablesMeant(one, listed)) {
        if (!wanted.some((other) => other.database === one.database && other.table === table)) {
          wanted.push({ database: one.database, table, isPattern })
        }
      }
    }
    this.#refuseOneNameForMany(wanted.length)
    // What is wrong with the target is wrong for every table.
    await this.#database(this.#target.database).withConnection(async () => undefined)
    for (const { database: name, table, isPattern } of wanted) {
      const reason = await this.#planTable(name, table).catch((error: unknown) => {
        if (!isPattern || !isOfTable(error)) throw error
        return error.message
      })
      if (reason !== null) this.skipped.push({ table: `${name}.${table}`, reason })
    }
    await this.#planProject(wanted.map((one) => one.database))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#databases.values()].map((one) => one.close()))
  }

  #refuseOneNameForMany(tables: number): void {
    const { name, key } = this.#options
    if (tables <= 1 || (this.#target.table === null && name === null && key === null)) return
    if (key !== null) {
      throw new ConfigurationError(
        `${tables} tables cannot have one key (${key.join(', ')}), so nothing was written; give --key with one table at a time.`,
      )
    }
    throw new ConfigurationError(
      `${tables} tables cannot go under one name, so nothing was written; leave --name out, and let --to name the database alone.`,
    )
  }

  #database(name: string): Database {
    const known = this.#databases.get(name) ?? new Database(name)
    this.#databases.set(name, known)
    return known
  }

  /** Plans a table; returns why there is nothing to do for it. */
  async #planTable(name: string, table: string): Promise<string | null> {
    const known = this.#known.find(({ pipeline }) => this.#isOf(pipeline, name, table))
    if (known !== undefined) return this.#planKnown(known.pipeline, known.isRun)
    const read = await readTable(this.#database(name), table, this.#options.key)
    const to = await this.#database(this.#target.database).adapter()
    const files = this.#files(name)
    const definition = this.#modelOf(name, table, files.source)
    refuseOtherKey(definition, this.#options.key)
    const habits = this.#habits()
    const names = this.#names(name, table, files, habits.table)
    const { cursor, isMasked } = this.#options
    const added = plannedTable(names, { read, known: definition, targetAdapter: to, habit: habits.column, cursor })
    const live = livePipeline(added, this.#database(name), this.#database(this.#target.database))
    const { isMissing, fault } = await targetFault(live.model)
    if (fault !== null) {
      throw new ConfigurationError(
        `The target's table is there and is another one than ${name}.${table} needs: ${fault}. Nothing was written of it; name another one by --to ${this.#target.database}.<table>, or write the models by hand.`,
      )
    }
    writeTable(this.changes, added, live, files, isMasked)
    this.tables.push({ added, live, model: live.model, isMissing })
    if (read.details.isView && read.key.length === 0) this.notes.push(keylessView(name, table))
    this.#steps.push({ constant: added.constant, from: `#functions/${added.pipeline}/pipeline.ts` })
    return null
  }

  #isOf({ name: pipeline, extract, load }: Pipeline, name: string, table: string): boolean {
    const { definition } = extract.source
    const to = load.target.definition
    const isTarget = this.#target.table === null || this.#target.table === to.table
    const isNamed = this.#options.name === null || this.#options.name === pipeline
    return definition.database === name && definition.table === table && isTarget && isNamed
  }

  /** One that no workflow runs is given its step. */
  #planKnown({ name }: Pipeline, isRun: boolean): string {
    if (isRun) return `the pipeline ${name} reads it already`
    const path = `functions/${name}/pipeline.ts`
    const [, constant = constantName(name)] =
      /export const (\w+) = pipeline\(/.exec(this.changes.read(path) ?? '') ?? []
    this.#steps.push({ constant, from: `#functions/${name}/pipeline.ts` })
    return `the pipeline ${name} reads it already, and gets its step in the workflow`
  }

  #files(name: string): { readonly source: ModelsFile; readonly target: ModelsFile } {
    const { folder } = this.#project
    return {
      source: modelsFile(this.changes, folder, name),
      target: modelsFile(this.changes, folder, this.#target.database),
    }
  }

  /** The model that reads the table already, where it is exported under a name. */
  #modelOf(name: string, table: string, file: ModelsFile): TableDefinition | null {
    const known = database(name).models.find(({ definition }) => definition.table === table)
    return known === undefined || classOf(this.changes, file, table) === null ? null : known.definition
  }

  /** As most of the target's models are spelt. */
  #habits(): { readonly table: Habit; readonly column: Habit } {
    const definitions = database(this.#target.database).models.map(({ definition }) => definition)
    return {
      table: habitOf(definitions.map(({ table }) => tableNameOf(table).name)),
      column: habitOf(definitions.flatMap(({ columnNames }) => columnNames)),
    }
  }

  #names(
    name: string,
    table: string,
    files: { readonly source: ModelsFile; readonly target: ModelsFile },
    habit: Habit,
  ) {
    const { schema, name: own } = tableNameOf(table)
    const pipeline = this.#pipelineName(name, schema, own)
    const targetDatabase = this.#target.database
    const isTaken = (candidate: string) =>
      (targetDatabase === name && candidate.toLowerCase() === table.toLowerCase()) ||
      this.tables.some(({ added }) => added.target.table === candidate) ||
      database(targetDatabase).models.some(({ definition }) => !definition.readOnly && definition.table === candidate)
    const candidates = [own, `${schema ?? name}_${own}`, `${name}_${schema ?? ''}_${own}`].map((one) =>
      inHabit(one, habit),
    )
    const to = this.#target.table ?? candidates.find((candidate) => !isTaken(candidate))
    if (to === undefined || isTaken(to)) {
      throw new ConfigurationError(
        `${targetDatabase}.${to ?? candidates[0]} has a model already, or is the table that is read, so nothing was written of ${name}.${table}; name another table by --to ${targetDatabase}.<table>.`,
      )
    }
    const kept = classOf(this.changes, files.source, table)
    const source = kept ?? this.#className(files.source, `Source${className(own)}`, schema)
    return {
      pipeline,
      constant: constantName(pipeline),
      source: { database: name, table, className: source },
      target: {
        database: targetDatabase,
        table: to,
        className: this.#className(files.target, `Target${className(own)}`, schema),
      },
    }
  }

  #className(file: ModelsFile, wanted: string, schema: string | null): string {
    if (!hasClass(this.changes, file, wanted)) return wanted
    const base = schema === null ? wanted : wanted.replace(/^(Source|Target)/, `$1${className(schema)}`)
    let free = base
    for (let count = 2; hasClass(this.changes, file, free); count++) free = `${base}${count}`
    return free
  }

  #pipelineName(name: string, schema: string | null, table: string): string {
    const isFree = (candidate: string) =>
      candidate !== 'dray' &&
      !this.tables.some(({ added }) => added.pipeline === candidate) &&
      !existsSync(join(this.#project.folder, 'functions', candidate))
    const given = this.#options.name
    if (given !== null) {
      if (given === kebabCase(given) && isFree(given)) return given
      throw new ConfigurationError(
        `--name ${given} is ${given === kebabCase(given) ? 'the name of a folder in functions/ already' : 'not in kebab-case'}, so nothing was written; give another one, as ${kebabCase(table)}-${name}.`,
      )
    }
    const candidates = [table, `${schema ?? name}-${table}`, `${name}-${schema ?? 'table'}-${table}`].map(kebabCase)
    const free = candidates.find(isFree)
    if (free !== undefined) return free
    throw new ConfigurationError(
      `functions/ has the folders ${candidates.join(', ')} already, so nothing was written of ${name}.${table}; name the pipeline by --name <name>.`,
    )
  }

  /** The workflow's steps, and databases that the project does not name yet. */
  async #planProject(sources: readonly string[]): Promise<void> {
    if (this.#steps.length === 0) return
    const { folder, workflows, main, databases } = this.#project
    const workflow = this.#options.workflow ?? main.name
    if (!workflows.some(({ name }) => name === workflow)) {
      throw new ConfigurationError(
        `There is no workflow ${workflow}, so nothing was written, and \`npx dray new workflow ${workflow}\` makes it; ${knownNames(
          workflow,
          workflows.map(({ name }) => name),
        )}`,
      )
    }
    const note = addSteps(this.changes, folder, workflow, this.#steps)
    if (note !== null) this.notes.push(note)
    for (const name of new Set([...sources, this.#target.database])) {
      if (databases[name] !== undefined) continue
      const { dialect } = await this.#database(name).adapter()
      this.notes.push(...addDatabase(this.changes, name, dialect))
    }
  }
}
