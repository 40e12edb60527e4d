import { createInterface } from 'node:readline/promises'
import type { PlannedStatement, RenameQuestion, TablePlan } from 'dray/internal/active-record/schema-plan.ts'
import type { Mark } from 'dray/internal/database/alterations.ts'
import { shown } from './output.ts'
import { nameOf } from './schema-models.ts'
import { effectOf } from './schema-report.ts'

/** Asks on the terminal; anything but y or yes is no. */
async function confirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^\s*y(es)?\s*$/i.test(await terminal.question(shown(`${question} [y/N] `)))
  } finally {
    terminal.close()
  }
}

/** The questions that were answered with yes; a column is renamed once. */
export async function renamesAsked(plans: readonly TablePlan[]): Promise<(RenameQuestion & { table: string })[]> {
  const renames: (RenameQuestion & { table: string })[] = []
  for (const { model, questions } of plans) {
    const table = nameOf(model)
    for (const { from, to } of questions) {
      if (renames.some((one) => one.table === table && (one.from === from || one.to === to))) continue
      if (await confirmed(`${table}: is ${to} the column ${from} under another name?`))
        renames.push({ table, from, to })
    }
  }
  return renames
}

/** What is safe or allowed and, where somebody can be asked, what they agree to; not where rows do not fit. */
export async function chosenStatements(
  plans: readonly TablePlan[],
  allowed: ReadonlySet<Mark>,
  asks: boolean,
): Promise<ReadonlySet<PlannedStatement>> {
  const chosen = new Set<PlannedStatement>()
  for (const { model, statements } of plans) {
    for (const statement of statements) {
      if (statement.obstacles.length > 0) continue
      const question = `${nameOf(model)}: ${statement.what}? It ${effectOf(statement)}.`
      if (allowed.has(statement.mark) || (asks && (await confirmed(question)))) chosen.add(statement)
    }
  }
  return chosen
}
