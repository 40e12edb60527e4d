import type { RenameQuestion } from 'dray/internal/active-record/schema-plan.ts'
import type { Mark } from 'dray/internal/database/alterations.ts'
import type { TableChange, TableChanges } from 'dray/internal/messages/schema.ts'
import { confirmed } from './confirmed.ts'
import { effectOf, titleOf } from './schema-report.ts'

/** The questions that were answered with yes; a column is renamed once. */
export async function renamesAsked(plans: readonly TableChanges[]): Promise<(RenameQuestion & { table: string })[]> {
  const renames: (RenameQuestion & { table: string })[] = []
  for (const plan of plans) {
    const table = titleOf(plan)
    for (const { from, to } of plan.questions) {
      if (renames.some((one) => one.table === table && (one.from === from || one.to === to))) continue
      if (await confirmed(`${table}: is ${to} the column ${from} under another name?`))
        renames.push({ table, from, to })
    }
  }
  return renames
}

/** What is safe or allowed and, where somebody can be asked, what they agree to; not where rows do not fit. */
export async function chosenStatements(
  plans: readonly TableChanges[],
  allowed: ReadonlySet<Mark>,
  asks: boolean,
): Promise<ReadonlySet<TableChange>> {
  const chosen = new Set<TableChange>()
  for (const plan of plans) {
    for (const statement of plan.statements) {
      const { obstacles, behind } = statement
      if (obstacles.length > 0) continue
      if (behind !== null && !plan.statements.some((one) => chosen.has(one) && one.what === behind)) continue
      const question = `${titleOf(plan)}: ${statement.what}? It ${effectOf(statement)}.`
      if (allowed.has(statement.mark) || (asks && (await confirmed(question)))) chosen.add(statement)
    }
  }
  return chosen
}
