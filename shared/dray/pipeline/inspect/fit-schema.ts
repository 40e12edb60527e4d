import { database } from '#dray/active-record/database.ts'
import { Field } from '#dray/active-record/fields.ts'
import { applyPlans } from '#dray/active-record/schema-apply.ts'
import { type PlannedStatement, planTable, type TablePlan } from '#dray/active-record/schema-plan.ts'
import { defineTable } from '#dray/active-record/table-definition.ts'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import type { SchemaInput, SchemaOutput, TableChanges, WantedTable } from '#dray/messages/schema.ts'
import { loadersOf } from '#dray/pipeline/landing/loaders-of.ts'

type Pasted = (command: string) => string

/**
 * Plans how tables come to fit what is wanted of them, and does what was chosen: in each database all of it or nothing,
 * where DDL is part of a transaction. Throws `Configuration` when a table has changed since its statements were chosen,
 * `Terminal` for rows that do not fit, `Transient` where a lock is not free in time.
 */
export async function fitSchema({ by, environment, tables }: SchemaInput): Promise<SchemaOutput> {
  const pasted: Pasted = (command) => `npx ${command}${environment === null ? '' : ` --env ${environment}`}`
  const plans: TablePlan[] = []
  for (const wanted of tables) plans.push(await planned(wanted, pasted))
  const parts = plans.map((plan, index) => ({
    ...plan,
    statements: chosenOf(plan, tables[index]?.chosen ?? [], pasted),
  }))
  for (const [target, ones] of Map.groupBy(parts, ({ model }) => model.database)) {
    if (ones.some(({ statements }) => statements.length > 0))
      await applyPlans(target, ones, { by, again: pasted('dray schema plan') })
  }
  return { tables: plans.map(shown) }
}

async function planned(wanted: WantedTable, pasted: Pasted): Promise<TablePlan> {
  const model = { database: database(wanted.database), definition: definitionOf(wanted) }
  const plan = await model.database.withConnection((connection, adapter) =>
    planTable(model, connection, adapter, wanted),
  )
  return plan.isNew ? lostTable(plan, pasted) : plan
}

function definitionOf({ database, table, columns }: WantedTable) {
  const fields = Object.fromEntries(
    columns.map(({ name, ...settings }) => {
      const others = {
        isOptional: false,
        isTouched: false,
        isLanded: false,
        rules: [],
        cast: (text: string) => text,
        toText: String,
      }
      return [name, new Field({ ...settings, ...others })]
    }),
  )
  return defineTable({ database, table, readOnly: false }, fields, () => false)
}

/** A table that a pipeline has loaded is lost with its rows, which the next run would not read again. */
async function lostTable(plan: TablePlan, pasted: Pasted): Promise<TablePlan> {
  const loaders = await loadersOf(plan.model)
  if (loaders.length === 0) return plan
  const commands = loaders.map((name) => pasted(`dray state reset ${name}`)).join(', ')
  const obstacle = `${loaders.join(', ')} ${loaders.length === 1 ? 'has' : 'have'} loaded this table before, so it is lost with its rows; restore it, or have the next run read all rows again: ${commands}`
  const statements = plan.statements.map((one) => ({ ...one, obstacles: [...one.obstacles, obstacle] }))
  return { ...plan, statements }
}

function chosenOf(
  { model, statements }: TablePlan,
  chosen: WantedTable['chosen'],
  pasted: Pasted,
): readonly PlannedStatement[] {
  const text = (sql: readonly string[]) => sql.join('\0')
  const { database: name, table } = model.definition
  const missing = chosen.find((sql) => !statements.some((one) => text(one.sql) === text(sql)))
  if (missing !== undefined) {
    throw new ConfigurationError(
      `${name}.${table} has changed since it was looked at, so nothing was changed: ${missing.join('; ')} is no part of its plan any more. Look again: ${pasted('dray schema plan')}`,
    )
  }
  const wanted = statements.filter(({ sql }) => chosen.some((one) => text(one) === text(sql)))
  for (const { what, obstacles, behind } of wanted) {
    const isAlone = behind !== null && !wanted.some((one) => one.what === behind)
    const reasons = isAlone ? [...obstacles, `"${behind}" has to be done with it`] : obstacles
    if (reasons.length === 0) continue
    throw new TerminalError(
      `${name}.${table}: "${what}" cannot be done, so nothing was changed: ${reasons.join(', ')}. Look again: ${pasted('dray schema plan')}`,
    )
  }
  return wanted
}

function shown({ model, isNew, statements, questions, notes }: TablePlan): TableChanges {
  return {
    ...{ database: model.definition.database, table: model.definition.table, isNew, questions, notes },
    statements: statements.map(({ columns, mark, what, sql, locks, rows, valuesLost, obstacles, behind }) => ({
      ...{ columns, mark, what, sql, locks, rows, valuesLost, obstacles, behind },
    })),
  }
}
