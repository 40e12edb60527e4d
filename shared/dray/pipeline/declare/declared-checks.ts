import { queryOf } from '#dray/active-record/query.ts'
import {
  type ColumnDefinition,
  columnOf,
  type Query,
  type TableDefinition,
} from '#dray/active-record/table-definition.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { Check, CheckedValue } from './checks.ts'
import type { Extraction } from './extraction.ts'
import type { Loading } from './loading.ts'
import { type RowFilter, rowFilterOf } from './row-filter.ts'
import type { SqlExpression } from './sql-expression.ts'

/** Where checks stand; a task has neither a source nor a count of before, and no rows of a run. */
interface Checked {
  /** `pipeline('orders')` */
  readonly where: string
  readonly definition: TableDefinition
  readonly extract?: Extraction
  readonly load?: Loading
}

/** Throws `Configuration` for a check that could never be asked as it is declared. */
export function declaredChecks(checks: readonly Check[], checked: Checked): readonly Check[] {
  const names = checks.map(({ name }) => name)
  const twice = names.find((name, place) => names.indexOf(name) !== place)
  if (twice !== undefined) {
    throw new ConfigurationError(
      `${checked.where}: two checks are called ${twice}, so a report could not tell them apart; give one a name: { name: '…' }`,
    )
  }
  for (const check of checks) {
    try {
      refuseFields(check, checked.definition)
      refuseScope(check, checked)
      refuseOfTask(check, checked)
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      throw new ConfigurationError(`${checked.where}: the check ${check.name}: ${error.message}`, { cause: error })
    }
  }
  return checks
}

function refuseFields({ expects }: Check, definition: TableDefinition): void {
  if ('fields' in expects) {
    if (expects.fields.length === 0) throw new ConfigurationError('it names no field; name one')
    for (const field of expects.fields) columnOf(definition, field)
  }
  if (expects.kind === 'noRows') checkQueryOf(expects.query, definition)
  if (expects.kind === 'between' || expects.kind === 'accepted') failing(expects, definition)
  if (expects.kind !== 'references') return
  const { model, fields, by } = expects
  for (const field of by) columnOf(model.definition, field)
  const other = `${model.definition.database}.${model.definition.table}`
  if (model.definition.database !== definition.database) {
    throw new ConfigurationError(
      `it refers to ${other}, which is in another database than ${definition.database}.${definition.table}, and no statement reads both; refer to a table of ${definition.database}`,
    )
  }
  if (by.length === 0 || by.length !== fields.length) {
    throw new ConfigurationError(
      `it compares ${fields.join(', ')} with ${by.length === 0 ? `no field of ${other}` : by.join(', ')}; name as many fields of ${other}: { by: … }`,
    )
  }
}

/** The SELECT of `noRows()`. */
export function checkQueryOf(query: SqlExpression, of: TableDefinition): Query {
  return queryOf(query, {
    database: of.database,
    of,
    gives: ', that gives the rows at fault',
    elsewhere: 'check it where it is written',
  })
}

function refuseScope({ scope }: Check, { load }: Checked): void {
  if (scope !== 'run' || load === undefined || knowsItsRows(load)) return
  throw new ConfigurationError(
    `scope: 'run' asks the rows of the run, which ${load.kind}() cannot tell from others: it needs upsert(), or append() to a table with a primary key; leave scope out`,
  )
}

/** Whether the rows that a run has loaded are found in the target by their keys. */
export function knowsItsRows({ kind, by }: Pick<Loading, 'kind' | 'by'>): boolean {
  return (kind === 'upsert' || kind === 'append') && by.length > 0
}

function refuseOfTask({ expects, scope }: Check, { extract, load }: Checked): void {
  if (expects.kind === 'freshness' && extract?.cursor?.kind !== 'timestamp') {
    throw new ConfigurationError(
      `it goes by the time stamp that a pipeline reads its source by, and ${extract === undefined ? 'a task has no source' : 'this one reads by none'}; leave it out, or read with changedSince() (a table of a replica: by a cursor)`,
    )
  }
  if (load !== undefined) return
  if (scope === 'run')
    throw new ConfigurationError("scope: 'run' asks the rows of a pipeline's run, and this is a task; leave it out")
  if (expects.kind === 'rowCount' && expects.within !== null)
    throw new ConfigurationError('within is a share of the last run of a pipeline, and this is a task; say min or max')
}

type Compared = Extract<Check['expects'], { readonly kind: 'between' | 'accepted' }>

/** The rows whose value is not what it has to be; NULL is. Throws `Configuration` for a value that no field has. */
export function failing(expects: Compared, definition: TableDefinition): RowFilter {
  const column = columnOf(definition, expects.fields[0] as string)
  const name = `"${column.column.replaceAll('"', '""')}"`
  if (expects.kind === 'between') {
    const [least, greatest] = expects.bounds.map((one) => comparedValue(column, one))
    return rowFilterOf([`${name} < ? or ${name} > ?`, least, greatest], definition, column.name)
  }
  if (expects.values.length === 0) throw new ConfigurationError('it accepts no value at all; give the values')
  const places = expects.values.map(() => '?').join(', ')
  const values = expects.values.map((one) => comparedValue(column, one))
  return rowFilterOf([`${name} not in (${places})`, ...values], definition, column.name)
}

/** A decimal is written as a text, so that it is exact. */
function comparedValue({ field }: ColumnDefinition, value: CheckedValue): CheckedValue {
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  return field.settings.kind === 'decimal' && isNumber ? String(value) : value
}
