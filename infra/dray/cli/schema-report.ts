import { LOCK_SECONDS, type Mark } from 'dray/internal/database/alterations.ts'
import type { TableChange, TableChanges } from 'dray/internal/messages/schema.ts'
import { oneLine, plural } from './format.ts'
import { terminalWidth } from './text-table.ts'
import { folded } from './text-width.ts'

/** A command as it can be pasted: `npx dray schema plan --env prod`. */
export type Pasted = (command: string) => string

export function titleOf({ database, table }: Pick<TableChanges, 'database' | 'table'>): string {
  return `${database}.${table}`
}

/** What became of a statement. */
export type Outcome = 'done' | 'left'
type OutcomeOf = (statement: TableChange) => Outcome

/** The document of `dray schema plan` and `apply`; `outcome` is of `apply`. */
export function plansDocument(plans: readonly TableChanges[], outcome?: OutcomeOf) {
  return {
    tables: plans.map(({ database, table, statements, questions, notes }) => ({
      database,
      table,
      statements: statements.map((statement) => ({
        ...(outcome === undefined ? {} : { outcome: outcome(statement) }),
        mark: statement.mark,
        what: statement.what,
        columns: statement.columns,
        sql: statement.sql,
        rows: statement.rows,
        values_lost: statement.valuesLost,
        locks: statement.locks,
        obstacles: statement.obstacles,
        only_with: statement.behind,
      })),
      questions,
      notes,
    })),
  }
}

/** `rewrites 1,000 rows; writers wait until it is done` */
export function effectOf({ mark, rows, valuesLost, locks }: TableChange): string {
  const of = rows === null ? '' : ` of ${plural(rows, 'row')}`
  const lost = valuesLost > 0 ? `drops ${plural(valuesLost, 'value')}${of}` : `holds less than before${of}`
  const effect = {
    safe: 'leaves the rows as they are',
    rewrites: `rewrites ${plural(rows ?? 0, 'row')}`,
    'loses data': lost,
  }[mark]
  return locks === null ? effect : `${effect}; ${locks}`
}

const WIDTH = 12

function line(title: string, text: string): string {
  return folded(code(title, text), terminalWidth(), WIDTH + 2)
}

/** What somebody may paste. */
function code(title: string, text: string): string {
  return `  ${title.padEnd(WIDTH)}${oneLine(text)}`
}

function statementLines(statement: TableChange, title: string = statement.mark): string[] {
  const effect = statement.mark === 'safe' ? '' : ` (${effectOf(statement)})`
  return [
    line(title, `${statement.what}${effect}`),
    ...statement.sql.map((sql) => code('', sql)),
    ...statement.obstacles.map((obstacle) => line('not done', obstacle)),
    ...(statement.behind === null ? [] : [line('only with', statement.behind)]),
  ]
}

function tableLines(plan: TableChanges, pasted: Pasted, of: (one: TableChange) => string[]) {
  const { statements, questions, notes } = plan
  const title = titleOf(plan)
  const lines = [
    ...statements.flatMap(of),
    ...questions.flatMap(({ from, to }) => [
      line('question', `is ${to} the column ${from} under another name? Until that is said neither is touched:`),
      code('', `yes: ${pasted(`dray schema apply --rename ${title}.${from}=${to}`)}`),
      code('', `no:  ${pasted('dray schema apply --no-renames')}`),
    ]),
    ...notes.map((note) => line('note', note)),
  ]
  return lines.length === 0 ? [] : [title, ...lines, '']
}

/** The report of `dray schema plan` for a person. */
export function plansText(plans: readonly TableChanges[], pasted: Pasted): string {
  const lines = plans.flatMap((plan) => tableLines(plan, pasted, (statement) => statementLines(statement)))
  const statements = plans.flatMap((plan) => plan.statements)
  if (lines.length === 0) return `${plural(plans.length, 'table')} looked at: every one fits its model.\n`
  if (statements.length === 0) return `${lines.join('\n')}\n`
  const counted = (['safe', 'rewrites', 'loses data'] as const)
    .map((mark) => ({ mark, number: statements.filter((one) => one.mark === mark).length }))
    .filter(({ number }) => number > 0)
    .map(({ mark, number }) => `${number} ${mark}`)
  return `${lines.join('\n')}
${plural(statements.length, 'statement')}: ${counted.join(', ')}.
Each waits ${LOCK_SECONDS} s at most for a lock (10 s on SQLite).
Indexes and constraints that people made stay as they are.
To do it: ${pasted(applying(statements.map(({ mark }) => mark)))}
`
}

function applying(marks: readonly Mark[]): string {
  const allow = marks.includes('loses data') ? ' --allow loss' : marks.includes('rewrites') ? ' --allow rewrites' : ''
  return `dray schema apply${allow}`
}

/** The report of `dray schema apply` for a person: what was done, and what is left and why. */
export function appliedText(plans: readonly TableChanges[], outcome: OutcomeOf, pasted: Pasted): string {
  const lines = plans.flatMap((plan) =>
    tableLines(plan, pasted, (statement) =>
      outcome(statement) === 'done' ? [line('done', statement.what)] : statementLines(statement, `left`),
    ),
  )
  const left = plans.flatMap((plan) => plan.statements).filter((one) => outcome(one) === 'left')
  const notAllowed = left.filter(({ obstacles }) => obstacles.length === 0).map(({ mark }) => mark)
  if (lines.length === 0) return plansText(plans, pasted)
  const remedy = notAllowed.length === 0 ? '' : ` To do what is left: ${pasted(applying(notAllowed))}`
  return `${lines.join('\n')}\n${plural(left.length, 'statement')} left.${remedy}\n`
}
