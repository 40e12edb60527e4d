import { ConfigurationError } from 'dray/internal/errors.ts'
import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import type { SchemaOfTable } from 'dray/internal/pipeline/inspect/replica-schema.ts'
import { allUnitsOf } from 'dray/internal/workflow/placeholders.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { commandFor, withUnit } from './environment.ts'
import { oneLine, plural } from './format.ts'
import { print } from './output.ts'
import { type CommonOptions, printJson } from './verb.ts'

/** The replica that these names are of; null where none is. Throws `Configuration` where they are of several things. */
export async function replicaAmong(names: readonly string[]): Promise<string | null> {
  const { workflows } = await loadProject()
  const replicas = allUnitsOf(workflows).flatMap(({ kind, name }) => (kind === 'replica' ? [name] : []))
  const meant = new Set(names.map((name) => (replicas.includes(unitOf(name)) ? unitOf(name) : null)))
  const [first = null] = meant
  if (meant.size <= 1) return first
  throw new ConfigurationError(
    `${names.join(', ')} are tables of a replica and others, so nothing was done; ask for them one by one.`,
  )
}

/** `dray schema plan` of a replica, or of some of its tables. */
export async function planReplicaSchema(
  replica: string,
  names: readonly string[],
  options: CommonOptions,
): Promise<void> {
  const { replicaSchema } = await import('dray/internal/pipeline/inspect/replica-schema.ts')
  const asked = names.every(isTableStep) ? names : null
  const tables = await withUnit(options, replica, (unit) =>
    unit.kind === 'replica' ? replicaSchema(unit, asked) : Promise.resolve([]),
  )
  if (options.json) printJson('schema plan', { replica, tables: tables.map(document) })
  else print(text(tables, commandFor(options, `dray run ${asked?.length === 1 ? asked[0] : replica}`)))
}

/** Runs make what is safe; the rest is a decision on rows, for which a person has the statement. */
export function refuseReplicaSchema(replica: string, options: CommonOptions): never {
  throw new ConfigurationError(
    `A run of ${replica} makes the tables that are missing, and does what leaves rows as they are, so there is nothing to apply and nothing was done; \`${commandFor(options, `dray schema plan ${replica}`)}\` prints the statements that are left to you.`,
  )
}

function document({ step, target, isNew, made, left, refused }: SchemaOfTable) {
  return { pipeline: step, target, is_new: isNew, made_by_next_run: made, left, refused }
}

function text(tables: readonly SchemaOfTable[], run: string): string {
  const lines = tables.flatMap(linesOf)
  const fresh = tables.filter(({ isNew }) => isNew).length
  const changed = tables.reduce((sum, { made }) => sum + made.length, 0)
  if (lines.length === 0) return `${plural(tables.length, 'table')} looked at: every one follows its source.\n`
  const counts = `${plural(tables.length, 'table')} looked at, ${fresh} to be made, ${plural(changed, 'change')} that a run makes by itself`
  const end = fresh + changed === 0 ? `${counts}.` : `${counts}: \`${run}\`.`
  return `${lines.join('\n')}\n\n${end}\n`
}

function linesOf({ step, target, isNew, made, left, refused }: SchemaOfTable): string[] {
  const lines = [
    ...(isNew ? [`  made by the next run: the table ${target}`] : []),
    ...made.flatMap(({ what, sql }) => [
      `  made by the next run: ${oneLine(what)}`,
      ...sql.map((one) => `    ${oneLine(one)}`),
    ]),
    ...left.map((note) => `  left: ${oneLine(note)}`),
    ...(refused === null ? [] : [`  refused: ${oneLine(refused)}`]),
  ]
  return lines.length === 0 ? [] : [target === null ? step : `${step} (${target})`, ...lines]
}
