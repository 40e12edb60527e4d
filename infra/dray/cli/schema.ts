import { type Command, Option } from 'commander'
import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import type { PlannedStatement, RenameAnswers, TablePlan } from 'dray/internal/active-record/schema-plan.ts'
import type { Mark } from 'dray/internal/database/alterations.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { requireLocal } from './environment.ts'
import { exitCodes } from './exit-codes.ts'
import { plural } from './format.ts'
import { print } from './output.ts'
import { nameOf, withModels } from './schema-models.ts'
import { pull } from './schema-pull.ts'
import { chosenStatements, renamesAsked } from './schema-questions.ts'
import { appliedText, type Outcome, plansDocument, plansText } from './schema-report.ts'
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
    .argument('[tables...]', 'a database, or <database>.<table>; all by default')
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
  requireLocal(options, '`dray schema`')
  await withTargets(tables, async (targets) => {
    const plans = await plansOf(targets, answersIn(options))
    if (options.json) printJson(plansDocument(plans))
    else print(plansText(plans))
  })
}

async function apply(tables: readonly string[], options: ApplyOptions, verbs: Verbs): Promise<void> {
  requireLocal(options, '`dray schema`')
  await withTargets(tables, async (targets) => {
    const { applyPlans } = await import('dray/internal/active-record/schema-apply.ts')
    const answers = answersIn(options)
    const asks = !options.yes && !options.json && process.stdin.isTTY === true
    const first = await plansOf(targets, answers)
    const renames = asks ? await renamesAsked(first) : []
    const isAnswered = renames.length > 0 || (asks && first.some(({ questions }) => questions.length > 0))
    const plans = isAnswered ? await plansOf(targets, withRenames(answers, renames)) : first
    if (asks) print(plansText(plans))
    const chosen = await chosenStatements(plans, marksAllowed(options.allow ?? []), asks)
    for (const [database, ones] of Map.groupBy(plans, ({ model }) => model.database)) {
      const parts = ones.map((one) => ({ ...one, statements: one.statements.filter((each) => chosen.has(each)) }))
      if (parts.some(({ statements }) => statements.length > 0)) await applyPlans(database, parts, await whoAmI())
    }
    const outcome = (statement: PlannedStatement): Outcome => (chosen.has(statement) ? 'done' : 'left')
    if (options.json) printJson(plansDocument(plans, outcome))
    else print(appliedText(plans, outcome))
    const isStuck = ({ statements, questions }: TablePlan) =>
      questions.length > 0 ||
      statements.some((each) => !chosen.has(each) && marksAllowed(options.allow ?? []).has(each.mark))
    if (plans.some(isStuck)) verbs.exitCode = exitCodes.failed
  })
}

function marksAllowed(allow: readonly string[]): ReadonlySet<Mark> {
  const marks: Mark[] = ['safe']
  if (allow.length > 0) marks.push('rewrites')
  if (allow.includes('loss')) marks.push('loses data')
  return new Set(marks)
}

async function whoAmI(): Promise<string> {
  const { hostname, userInfo } = await import('node:os')
  return `${userInfo().username}@${hostname()}`
}

/** A model that writes, and what other models know of its table. */
interface Target {
  readonly model: ModelTable
  readonly others: readonly string[]
}

function withTargets(tables: readonly string[], work: (targets: readonly Target[]) => Promise<void>): Promise<void> {
  return withModels('writes', tables, (models) =>
    work(
      models.map(([model, ...others]) => ({
        model,
        others: others.flatMap(({ definition }) => definition.columnNames),
      })),
    ),
  )
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

async function plansOf(targets: readonly Target[], { renames, areOthersTwo }: Answers): Promise<TablePlan[]> {
  const { planTable } = await import('dray/internal/active-record/schema-plan.ts')
  const names = targets.map(({ model }) => nameOf(model))
  const unknown = [...renames.keys()].find((table) => !names.includes(table))
  if (unknown !== undefined) {
    throw new ConfigurationError(
      `--rename names ${unknown}, which no model writes, so nothing was done; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')} (${plural(names.length, 'table')}).`,
    )
  }
  const plans: TablePlan[] = []
  for (const { model, others } of targets) {
    const options = { renames: renames.get(nameOf(model)) ?? [], areOthersTwo, others }
    const planned = await model.database.withConnection((connection, adapter) =>
      planTable(model, connection, adapter, options),
    )
    plans.push(planned.isNew ? await lostTable(planned) : planned)
  }
  return plans
}

/** A table that a pipeline has loaded is lost with its rows, which the next run would not read again. */
async function lostTable(planned: TablePlan): Promise<TablePlan> {
  const { loadersOf } = await import('dray/internal/pipeline/landing/loaders-of.ts')
  const loaders = await loadersOf(planned.model)
  if (loaders.length === 0) return planned
  const commands = loaders.map((name) => `npx dray state reset ${name}`).join(', ')
  const obstacle = `${loaders.join(', ')} ${loaders.length === 1 ? 'has' : 'have'} loaded this table before, so it is lost with its rows; restore it, or have the next run read all rows again: ${commands}`
  const statements = planned.statements.map((one) => ({ ...one, obstacles: [...one.obstacles, obstacle] }))
  return { ...planned, statements }
}
