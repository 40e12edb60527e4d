import { writeAll } from 'dray/internal/active-record/bulk.ts'
import { database } from 'dray/internal/active-record/database.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import { defineModel } from 'dray/internal/active-record/model.ts'
import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import { createTable } from 'dray/internal/active-record/schema.ts'
import { tableName } from 'dray/internal/active-record/sql.ts'
import { textToValue } from 'dray/internal/active-record/table-definition.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { compile } from 'dray/internal/database/statement.ts'
import { tableNameOf } from 'dray/internal/database/table-name.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { rowCountsBy } from 'dray/internal/messages/row-counts.ts'
import type { CommitOutput } from 'dray/internal/messages/stages.ts'
import type { AnySource, AnyTarget } from 'dray/internal/pipeline/declare/any-model.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { instantOf } from 'dray/internal/pipeline/texts/instant.ts'
import { sql } from 'kysely'
import { textsOf, type Values } from './rows.ts'
import { StagedRun } from './staged-run.ts'
import { TestDatabases, temporaryFolder } from './test-databases.ts'
import { openServices, type TestServices } from './test-services.ts'
import type { NextRunOptions, TestedRun, TestRunOptions } from './tested-run.ts'

type Tested = TestedRun<AnySource, AnyTarget>

/** Temporary databases with the tables of a pipeline, a state and a staging: what its runs are tested on. */
export class Bench {
  readonly #pipeline: Pipeline
  readonly #databases: TestDatabases
  readonly #services: TestServices
  #runs = 0

  static async set(given: Pipeline, options: TestRunOptions<AnySource, AnyTarget>): Promise<Bench> {
    const pipeline = ofTable(given)
    const { engine = 'sqlite', lastRun, source, target = [] } = options
    const now = moment(pipeline, options.now)
    const folder = temporaryFolder()
    const databases = await TestDatabases.make(engine, wantedBy(pipeline), folder, now)
    const services = await openServices(folder)
    const bench = new Bench(pipeline, databases, services)
    await databases.within(async () => {
      const { load } = pipeline
      await createTable(readModel(pipeline), { ifMissing: true })
      await createTable(load.target, { ifMissing: true })
      await bench.#write(readModel(pipeline), source, 'source')
      await bench.#write(load.target, target, 'target')
      if (lastRun !== undefined) await setLastRun(pipeline, bench.#lastRun(lastRun), bench.#services)
    })
    return bench
  }

  private constructor(pipeline: Pipeline, databases: TestDatabases, services: TestServices) {
    this.#pipeline = pipeline
    this.#databases = databases
    this.#services = { ...services, now: () => Date.parse(isoOf(databases.now)) }
  }

  run(): Promise<Tested> {
    return this.#databases.within(async () => {
      this.#runs += 1
      const id = `run-${this.#runs}`
      const output = await this.#staged(id)
      return this.#tested(id, output)
    })
  }

  async #again({ source, now }: NextRunOptions<AnySource>): Promise<Tested> {
    this.#databases.now = moment(this.#pipeline, now)
    if (source !== undefined) {
      await this.#databases.within(async () => {
        const model = readModel(this.#pipeline)
        await model.database.withConnection((connection, adapter) =>
          connection.query(compile(adapter, sql`delete from ${tableName(model.definition)}`).sql),
        )
        await this.#write(model, source, 'source')
      })
    }
    return this.run()
  }

  /** As a state machine does it: whatever happens, the run is finished. */
  async #staged(id: string): Promise<CommitOutput> {
    const { name } = this.#pipeline
    const run = { id, workflow: name, started_at: isoOf(this.#databases.now), trigger: 'manual' }
    const end = (status: 'success' | 'failed', reason: string | null) =>
      finish({ run, steps: { [name]: { status, reason } } }, this.#services)
    try {
      const output = await new StagedRun(this.#pipeline, run, this.#services).whole()
      await end('success', null)
      return output
    } catch (error) {
      await end('failed', String(error))
      throw error
    }
  }

  async #tested(id: string, output: CommitOutput): Promise<Tested> {
    const { name } = this.#pipeline
    const { state, staging } = this.#services
    const step = await state.stepRecord(id, name)
    const quarantine = await Array.fromAsync(quarantinedRows(staging, name, { run: id }), (row) =>
      this.#quarantined(row),
    )
    return {
      target: await this.#targetRows(),
      quarantine,
      counts: rowCountsBy((count) => output[count]),
      deleted: step?.deleted ?? 0,
      lastRun: this.#shownLastRun(output.last_run_after),
      notes: step?.notes ?? [],
      again: (options) => this.#again(options),
    }
  }

  async #targetRows(): Promise<Values[]> {
    const { target } = this.#pipeline.load
    const { columns, primaryKey } = target.definition
    const records = (await target.findAll({ order: primaryKey.map(({ name }) => name) })) as unknown as Values[]
    return records.map((record) => Object.fromEntries(columns.map(({ name }) => [name, record[name]])))
  }

  #quarantined({ row, errors }: QuarantinedRow): Tested['quarantine'][number] {
    const { columns } = this.#pipeline.extract.source.definition
    const values = columns.map((column) => {
      const text = row[column.column] ?? null
      try {
        return [column.name, textToValue(column, text)]
      } catch {
        // What is no value of its field is a reason to be here.
        return [column.name, text]
      }
    })
    return { row: Object.fromEntries(values), errors }
  }

  async #write(model: ModelTable, rows: readonly Values[], what: 'source' | 'target'): Promise<void> {
    const { definition } = model
    const touched = Object.fromEntries(definition.touched.map(({ name }) => [name, this.#databases.now]))
    for (const [place, row] of rows.entries()) textsOf(definition, row, `${this.#pipeline.name}: ${what} row ${place}`)
    const { rejected, duplicate } = await writeAll(
      model,
      rows.map((row) => ({ ...touched, ...row })),
      'insert',
      {},
    )
    const [first] = rejected
    if (first === undefined && duplicate === 0) return
    const reason = first?.errors.map(({ field, message }) => `${field} ${message}`).join('; ')
    const which = first === undefined ? 'one row has the key of another' : `row ${first.row} cannot be held: ${reason}`
    throw new ConfigurationError(
      `${this.#pipeline.name}: of the ${what}, ${definition.database}.${definition.table}, ${which}; nothing was run`,
    )
  }

  #shownLastRun(text: string | null): string | null {
    return text !== null && this.#pipeline.extract.cursor?.kind === 'timestamp' ? timestampOf(text) : text
  }

  #lastRun(text: string): string {
    const { name, extract } = this.#pipeline
    if (extract.cursor === null)
      throw new ConfigurationError(`${name} reads its source whole in each run, so it has no lastRun; leave it out`)
    return extract.cursor.kind === 'timestamp' ? instantOf(text, `${name}: lastRun`) : text
  }
}

function moment({ name }: Pipeline, now: string): string {
  return instantOf(now, `${name}: now`)
}

function isoOf(instant: string): string {
  return `${instant.slice(0, -3).replace(' ', 'T')}Z`
}

/** Rows that a query would give are written to a table of its name: it is the pipeline that is tested. */
function ofTable(pipeline: Pipeline): Pipeline {
  const { extract } = pipeline
  if (extract.model.definition.query === undefined) return pipeline
  const tableOf = (model: AnySource): AnySource => {
    const { query: _, ...definition } = model.definition
    const table = class extends model {}
    return Object.assign(table, { definition, database: database(definition.database) })
  }
  const model = tableOf(extract.model)
  const source = extract.source === extract.model ? model : tableOf(extract.source)
  return { ...pipeline, extract: { ...extract, source, model } }
}

function wantedBy({ extract, load }: Pipeline): Map<string, Set<string>> {
  const wanted = new Map<string, Set<string>>()
  for (const { database, table } of [extract.source.definition, load.target.definition]) {
    const { schema } = tableNameOf(table)
    const schemas = wanted.get(database) ?? new Set()
    wanted.set(database, schema === null || schema === 'main' ? schemas : schemas.add(schema))
  }
  return wanted
}

/** The source's model as it was declared; what the pipeline does not read of it may be left out of rows. */
function readModel({ extract: { source, model } }: Pipeline): ModelTable {
  if (source === model) return source
  const fields = Object.entries(model.fields as Fields).map(([name, field]) => [
    name,
    source.definition.byName.has(name) ? field : field.nullable(),
  ])
  const { table } = model.definition
  return defineModel(model.database, { table, readOnly: true }, Object.fromEntries(fields))
}
