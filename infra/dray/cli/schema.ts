import { type Command, Option } from 'commander'
import type { RenameAnswers } from 'dray/internal/active-record/schema-plan.ts'
import type { Mark } from 'dray/internal/database/alterations.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { TableChange, TableChanges, WantedTable } from 'dray/internal/messages/schema.ts'
import { canAsk } from './confirmed.ts'
import { commandFor } from './environment.ts'
import { exitCodes } from './exit-codes.ts'
import { plural } from './format.ts'
import { print, printAsIs } from './output.ts'
import { type ModelsOfTable, nameOf } from './schema-models.ts'
import { pull } from './schema-pull.ts'
import { chosenStatements, renamesAsked } from './schema-questions.ts'
import { appliedText, type Outcome, plansDocument, plansText } from './schema-report.ts'
import { wantedOf, withTargets } from './schema-targets.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

interface SchemaOptions extends CommonOptions {
  readonly rename?: readonly string[]
  readonly renames: boolean
}

interface ApplyOptions extends SchemaOptions {
  readonly yes?: boolean
  readonly allow?: readonly ('rewrites' | 'loss')[]
}

const HELP = `
A statement is marked as one of these:
  safe         a new table, a column that may be NULL, a wider one: the rows stay as they are
  rewrites     each row is written or read anew, while others wait
  loses data   a column is dropped, or holds less; rows that do not fit keep it from being done

  dray schema plan
  dray schema apply --yes                     what is safe
  dray schema apply --yes --allow rewrites    and what rewrites
  dray schema apply --rename warehouse.customer_dim.mail=email`

export function addSchema(program: Command, verbs: Verbs): void {
  const verb = program.command('schema').description('fit the tables of targets to their models')
  withSchemaOptions(verb.command('plan', { isDefault: true }))
    .description('the statements by which tables fit their models; changes nothing')
    .argument('[tables...]', 'a database, <database>.<table>, or a replica; all tables of models by default')
    .addHelpText('after', HELP)
    .action((tables: readonly string[], _options, command: Command) => plan(tables, command.optsWithGlobals()))
  withSchemaOptions(verb.command('apply'))
    .description('do the safe statements, ask for the others, and record them in dray_schema of the database')
    .argument('[tables...]', 'a database, or <database>.<table>; all by default')
    .option('--yes', 'ask nothing: do what is safe, and what is allowed')
    .addOption(new Option('--allow <what>', 'do what rewrites rows; loss: and what can lose data').argParser(allowed))
    .addHelpText('after', HELP)
    .action((tables: readonly string[], _options, command: Command) => apply(tables, command.optsWithGlobals(), verbs))
  withCommonOptions(verb.command('pull'))
    .description('mend the models of sources whose tables have changed, and say what else follows')
    .argument('[tables...]', 'a database, or <database>.<table>; all by default')
    .action((tables: readonly string[], _options, command: Command) => pull(tables, command.optsWithGlobals()))
}

function withSchemaOptions(command: Command): Command {
  return withCommonOptions(command)
    .option(
      '--rename <column=name>',
      '<database>.<table>.<column>=<name>: the column was renamed in the model; for each of them',
      (text: string, others: readonly string[] = []) => [...others, text],
    )
    .option('--no-renames', 'a column that is gone and one that is new are two columns')
}

function allowed(what: string, others: readonly string[] = []): readonly string[] {
  if (what === 'rewrites' || what === 'loss') return [...others, what]
  throw new ConfigurationError(
    `--allow ${what} is not known, so nothing was done; write --allow rewrites or --allow loss.`,
  )
}

async function plan(tables: readonly string[], options: SchemaOptions): Promise<void> {
  const { planReplicaSchema, replicaAmong } = await import('./schema-replica.ts')
  const replica = await replicaAmong(tables)
  if (replica !== null) return planReplicaSchema(replica, tables, options)
  await withTargets(tables, options, async (targets, ask) => {
    const plans = await ask(tablesOf(targets, answersIn(options)))
    if (options.json) printJson('schema plan', plansDocument(plans))
    else printAsIs(plansText(plans, pastedFor(options)))
  })
}

async function apply(tables: readonly string[], options: ApplyOptions, verbs: Verbs): Promise<void> {
  const { refuseReplicaSchema, replicaAmong } = await import('./schema-replica.ts')
  const replica = await replicaAmong(tables)
  if (replica !== null) return refuseReplicaSchema(replica, options)
  await withTargets(tables, options, async (targets, ask) => {
    const answers = answersIn(options)
    const asks = !options.yes && !options.json && canAsk()
    const first = await ask(tablesOf(targets, answers))
    const renames = asks ? await renamesAsked(first) : []
    const isAnswered = asks && first.some(({ questions }) => questions.length > 0)
    const wanted = tablesOf(targets, isAnswered ? withRenames(answers, renames) : answers)
    const plans = isAnswered ? await ask(wanted) : first
    if (asks) printAsIs(plansText(plans, pastedFor(options)))
    const chosen = await chosenStatements(plans, marksAllowed(options.allow ?? []), asks)
    if (chosen.size > 0) await ask(wanted.map((one, index) => ({ ...one, chosen: sqlOf(plans[index], chosen) })))
    const outcome = (statement: TableChange): Outcome => (chosen.has(statement) ? 'done' : 'left')
    if (options.json) printJson('schema apply', plansDocument(plans, outcome))
    else print(appliedText(plans, outcome, pastedFor(options)))
    const isStuck = ({ statements, questions }: TableChanges) =>
      questions.length > 0 ||
      statements.some((each) => !chosen.has(each) && marksAllowed(options.allow ?? []).has(each.mark))
    if (plans.some(isStuck)) verbs.exitCode = exitCodes.failed
  })
}

function pastedFor(options: SchemaOptions): (command: string) => string {
  return (command) => commandFor(options, command)
}

function sqlOf(plan: TableChanges | undefined, chosen: ReadonlySet<TableChange>): WantedTable['chosen'] {
  return (plan?.statements ?? []).filter((one) => chosen.has(one)).map(({ sql }) => sql)
}

function marksAllowed(allow: readonly string[]): ReadonlySet<Mark> {
  const marks: Mark[] = ['safe']
  if (allow.length > 0) marks.push('rewrites')
  if (allow.includes('loss')) marks.push('loses data')
  return new Set(marks)
}

/** What was said of columns by their whole names. */
interface Answers {
  readonly renames: ReadonlyMap<string, RenameAnswers['renames']>
  readonly areOthersTwo: boolean
}

function answersIn({ rename = [], renames }: SchemaOptions): Answers {
  const given = rename.map((text) => {
    const [, table, from, to] = /^(.+)\.([^.=]+)=([^.=]+)$/s.exec(text) ?? []
    if (table !== undefined && from !== undefined && to !== undefined) return { table, from, to }
    throw new ConfigurationError(
      `--rename ${text} names no column, so nothing was done; write --rename <database>.<table>.<column>=<name>.`,
    )
  })
  return { renames: Map.groupBy(given, ({ table }) => table), areOthersTwo: !renames }
}

/** Once questions were asked, what was not renamed is two columns. */
function withRenames(
  { renames }: Answers,
  asked: readonly { readonly table: string; readonly from: string; readonly to: string }[],
): Answers {
  const all = [...[...renames].flatMap(([table, ones]) => ones.map((one) => ({ table, ...one }))), ...asked]
  return { renames: Map.groupBy(all, ({ table }) => table), areOthersTwo: true }
}

function tablesOf(targets: readonly ModelsOfTable[], { renames, areOthersTwo }: Answers): WantedTable[] {
  const names = targets.map(([model]) => nameOf(model))
  const unknown = [...renames.keys()].find((table) => !names.includes(table))
  if (unknown !== undefined) {
    throw new ConfigurationError(
      `--rename names ${unknown}, which no model writes, so nothing was done; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')} (${plural(names.length, 'table')}).`,
    )
  }
  return targets.map((models) => {
    const [model] = models
    return wantedOf(models, { renames: renames.get(nameOf(model)) ?? [], areOthersTwo })
  })
}
