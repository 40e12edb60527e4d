import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from 'dray/internal/active-record/database.ts'
import { tableParts } from 'dray/internal/database/table-name.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import {
  type Replica,
  type ReplicaOptions,
  replicate,
  type TableOverride,
} from 'dray/internal/pipeline/declare/replica.ts'
import { type FoundTable, replicaTables } from 'dray/internal/pipeline/inspect/replica-tables.ts'
import { type ChosenTable, chosenTables } from 'dray/internal/pipeline/replica/chosen-tables.ts'
import { readTable } from 'dray/internal/pipeline/replica/read-table.ts'
import { databaseNamed } from '#dray-infra/local/databases.ts'
import { knownNames } from '#dray-infra/project/known-names.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { askedOf, tablesMeant } from './asked-tables.ts'
import { FileChanges } from './file-changes.ts'
import { listTables } from './live-table.ts'
import { modelsFile } from './models-file.ts'
import { constantName, kebabCase } from './names.ts'
import { addDatabase, addSteps } from './project-files.ts'
import { isLikelyCursor } from './reading.ts'
import { handlerText, type ReplicaText, replicaText } from './replica-text.ts'
import { targetOf } from './target-of.ts'

export interface NewReplica {
  /** `sales.*`, `sales.billing.*`, and views by their names. */
  readonly tables: readonly string[]
  /** A database; the one that is written by default. */
  readonly to: string | null
  readonly name: string | null
  readonly workflow: string | null
  readonly cursor: string | null
  /** Of a single view. */
  readonly key: readonly string[] | null
}

export interface PlannedReplica {
  readonly name: string
  /** Those that are taken over, the largest first. */
  readonly tables: readonly FoundTable[]
  /** Those that cannot be, and are left out of the declaration. */
  readonly refused: readonly FoundTable[]
  readonly changes: FileChanges
  readonly notes: readonly string[]
}

/** Reads the tables and says what a declaration of all of them would be; writes nothing. */
export async function planReplica(
  project: LoadedProject,
  options: NewReplica,
  signal: AbortSignal,
): Promise<PlannedReplica> {
  const [source, target] = await databasesOf(project, options)
  const name = nameOf(project, source.name, options.name)
  const patterns = await patternsOf(source, options)
  const keyed = keyOf(patterns, options.key)
  const declared = async (tables: readonly string[], cursor: readonly string[]) => {
    const overrides: Record<string, TableOverride> = keyed === null ? {} : { [keyed.table]: { key: keyed.key } }
    const naming = namingOf(tables, await chosenOf(name, source, target, tables))
    const given: ReplicaOptions = { from: source, into: target, tables, name: naming.name, cursor, overrides }
    return { replica: replicate(name, given), naming, overrides }
  }
  const chosen = await chosenOf(name, source, target, patterns)
  if (chosen.length === 0) throw none(source.name, patterns)
  const cursor = options.cursor === null ? await likelyCursors(source, chosen) : [options.cursor]
  const all = await replicaTables((await declared(patterns, cursor)).replica, signal)
  const refused = all.tables.filter((table) => table.refused !== null)
  const tables = all.tables.filter((table) => table.refused === null)
  if (tables.length === 0) throw noneFits(source.name, refused)
  const kept = [
    ...patterns.filter((one) => !refused.some(({ table }) => table === one)),
    ...refused.map(({ table }) => `!${table}`),
  ]
  const { replica, naming, overrides } = await declared(kept, cursor)
  const said = { replica, naming: naming.text, overrides }
  return { name, tables, refused, ...filesOf(project, options, said, await engines([source, target])) }
}

async function databasesOf(project: LoadedProject, { tables, to }: NewReplica): Promise<readonly [Database, Database]> {
  const names = [...new Set(tables.map((one) => askedOf(one).database))]
  const [source = ''] = names
  if (names.length > 1) {
    throw new ConfigurationError(
      `A replica reads one database, and ${names.join(' and ')} are several, so nothing was written; add one for each.`,
    )
  }
  const target = await targetOf(to, project)
  if (target.table !== null) {
    throw new ConfigurationError(
      `--to ${to} names a table, and a replica has many, so nothing was written; name the database alone: --to ${target.database}.`,
    )
  }
  if (target.database === source) {
    throw new ConfigurationError(
      `${source} would be copied into itself, so nothing was written; name another database by --to.`,
    )
  }
  return [await databaseNamed(source, project), await databaseNamed(target.database, project)]
}

function nameOf({ folder }: LoadedProject, source: string, given: string | null): string {
  const name = given ?? kebabCase(`${source}-raw`)
  if (name === kebabCase(name) && name !== 'dray' && !existsSync(join(folder, 'functions', name))) return name
  throw new ConfigurationError(
    `${name} is ${name === kebabCase(name) ? 'the name of a folder in functions/ already' : 'not in kebab-case'}, so nothing was written; give another one by --name.`,
  )
}

/** As the declaration has them: names in the source's spelling, stars as they are. */
async function patternsOf(source: Database, { tables }: NewReplica): Promise<readonly string[]> {
  const listed = await listTables(source)
  const patterns = tables
    .map(askedOf)
    .flatMap((one) => (one.table.includes('*') ? [one.table] : tablesMeant(one, listed)))
  return [...new Set(patterns)]
}

function keyOf(patterns: readonly string[], key: readonly string[] | null) {
  if (key === null) return null
  const [table] = patterns
  if (patterns.length === 1 && table !== undefined && !table.includes('*')) return { table, key }
  throw new ConfigurationError(
    `--key names the key of one table, and ${patterns.join(', ')} are several, so nothing was written; leave it out, and write overrides: { <table>: { key: […] } } into the declaration.`,
  )
}

async function chosenOf(name: string, from: Database, into: Database, tables: readonly string[]) {
  return (await chosenTables(replicate(name, { from, into, tables }))).tables
}

function none(source: string, patterns: readonly string[]): ConfigurationError {
  return new ConfigurationError(
    `${source} has no table that is named like ${patterns.join(' or ')}, or its user may not see any, so nothing was written; \`npx dray add\` lists those that it has.`,
  )
}

function noneFits(source: string, refused: readonly FoundTable[]): ConfigurationError {
  const reasons = refused.slice(0, 5).map((table) => table.refused)
  return new ConfigurationError(
    `None of ${refused.length} tables of ${source} can be taken over, so nothing was written: ${reasons.join('; ')}.`,
  )
}

interface Naming {
  readonly name: NonNullable<ReplicaOptions['name']>
  /** As the declaration writes it. */
  readonly text: string
}

/** Behind a word, which keeps copies apart from tables that are there; a schema would need rights of its user. */
function namingOf(tables: readonly string[], chosen: readonly ChosenTable[]): Naming {
  const hasSchemas = tables.some((one) => !one.startsWith('!') && tableParts(one).length > 1)
  const own = hasSchemas
    ? `\${table.schema === null ? table.name : \`\${table.schema}_\${table.name}\`}`
    : `\${table.name}`
  // A name with a dot is written in quotes.
  const quote = chosen.some(({ table }) => table.includes('"')) ? '"' : ''
  return {
    name: ({ schema, name }) => `${quote}raw_${hasSchemas && schema !== null ? `${schema}_${name}` : name}${quote}`,
    text: `(table) => \`${quote}raw_${own}${quote}\``,
  }
}

/** Columns that a change moves on and an index begins with, those of the most tables first. */
async function likelyCursors(source: Database, chosen: readonly ChosenTable[]): Promise<readonly string[]> {
  const counts = new Map<string, number>()
  for (const { table } of chosen) {
    const read = await readTable(source, table)
    for (const column of read?.live.columns ?? []) {
      if (read !== null && isLikelyCursor(column, read.details))
        counts.set(column.name, (counts.get(column.name) ?? 0) + 1)
    }
  }
  return [...counts].sort(([, one], [, other]) => other - one).map(([name]) => name)
}

type Engines = ReadonlyMap<string, 'postgres' | 'mysql' | 'sqlite'>

async function engines(databases: readonly Database[]): Promise<Engines> {
  const found = databases.map(async (one) => [one.name, (await one.adapter()).dialect as 'postgres'] as const)
  return new Map(await Promise.all(found))
}

function filesOf(
  project: LoadedProject,
  { workflow: asked }: NewReplica,
  said: { readonly replica: Replica } & Pick<ReplicaText, 'naming' | 'overrides'>,
  dialects: Engines,
) {
  const { folder, workflows, main, databases } = project
  const workflow = asked ?? main.name
  if (!workflows.some(({ name }) => name === workflow)) {
    throw new ConfigurationError(
      `There is no workflow ${workflow}, so nothing was written; ${knownNames(
        workflow,
        workflows.map(({ name }) => name),
      )}`,
    )
  }
  const { name, from, into } = said.replica
  const changes = new FileChanges(folder)
  const constant = constantName(name)
  const files = { from: modelsFile(changes, folder, from.name), into: modelsFile(changes, folder, into.name) }
  changes.write(`functions/${name}/pipeline.ts`, replicaText({ ...said, constant, files }))
  for (const stage of ['extract', 'transform', 'load'] as const) {
    changes.write(`functions/${name}/${stage}.ts`, handlerText(stage, constant))
  }
  const unbound = [...dialects].filter(([one]) => !Object.hasOwn(databases, one))
  const notes = [
    addSteps(changes, folder, workflow, [{ constant, from: `#functions/${name}/pipeline.ts` }]),
    ...unbound.flatMap(([one, engine]) => addDatabase(changes, one, engine)),
  ]
  return { changes, notes: notes.filter((note) => note !== null) }
}
