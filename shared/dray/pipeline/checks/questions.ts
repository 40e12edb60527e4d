import { type RawBuilder, sql } from 'kysely'
import { columnName, querySql, readColumn, tableName } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf } from '#dray/active-record/table-definition.ts'
import type { Check, Expectation } from '#dray/pipeline/declare/checks.ts'
import { checkQueryOf, failing } from '#dray/pipeline/declare/declared-checks.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { type CheckedTable, columnOfTable } from './checked-table.ts'

type Sql = RawBuilder<unknown>
type Of<K extends Expectation['kind']> = Extract<Expectation, { readonly kind: K }>

/** What the database is asked of a check. */
export interface Question {
  /** Of the rows at fault what they are known by, in any order. */
  readonly faults: Sql
  /** Gives how many rows are at fault. */
  readonly count: Sql
  /** What is wrong with them, behind their number. */
  readonly said: string
}

/** The question of a check that is about rows; null for one that is not. */
export function questionOf({ expects }: Check, table: CheckedTable): Question | null {
  switch (expects.kind) {
    case 'unique':
      return repeated(expects, table)
    case 'notNull':
      return rowsThat(missing(expects, table), `NULL in ${expects.fields.join(' or ')}`, table)
    case 'references':
      return rowsThat(unknown(expects, table), said(expects), table)
    case 'between':
    case 'accepted':
      return rowsThat(other(expects, table), said(expects), table)
    case 'noRows':
      return queried(expects, table)
    case 'rowCount':
    case 'freshness':
      return null
    default:
      return expects satisfies never
  }
}

function said(expects: Of<'references' | 'between' | 'accepted'>): string {
  const fields = expects.fields.join(', ')
  if (expects.kind === 'references') {
    const { database, table } = expects.model.definition
    return `a ${fields} that no row of ${database}.${table} has`
  }
  return expects.kind === 'accepted'
    ? `another ${fields} than the accepted ones`
    : `a ${fields} that is not between ${expects.bounds.join(' and ')}`
}

function rowsThat(condition: Sql, what: string, { definition, adapter, from }: CheckedTable): Question {
  const known = definition.primaryKey.length > 0 ? definition.primaryKey : definition.columns.slice(0, 1)
  const keys = known.map((column) => readColumn(adapter, column))
  const rows = sql`${from} where ${condition}`
  return { faults: sql`select ${sql.join(keys)} from ${rows}`, count: sql`select count(*) from ${rows}`, said: what }
}

function missing({ fields }: Of<'unique' | 'notNull'>, { definition, adapter }: CheckedTable): Sql {
  const parts = columnsOf(definition, fields).map((column) => adapter.isNull(columnName(column)))
  return sql`(${sql.join(parts, sql` or `)})`
}

function other(expects: Of<'between' | 'accepted'>, { definition, adapter, columns }: CheckedTable): Sql {
  const [condition] = ownRows({ filter: failing(expects, definition), source: { definition } }, { adapter, columns })
  return sql`${condition}`
}

function unknown({ fields, model, by }: Of<'references'>, { definition }: CheckedTable): Sql {
  const columns = columnsOf(definition, fields)
  const present = columns.map((column) => sql`${columnOfTable(definition, column)} is not null`)
  const same = columns.map(
    (column, place) =>
      sql`dray_other.${columnName(columnOf(model.definition, by[place] as string))} = ${columnOfTable(definition, column)}`,
  )
  const found = sql`select 1 from ${tableName(model.definition)} dray_other where ${sql.join(same, sql` and `)}`
  return sql`${sql.join(present, sql` and `)} and not exists (${found})`
}

/** Of the rows that are asked the values that more than one row of the table has. */
function repeated(expects: Of<'unique' | 'notNull'>, table: CheckedTable): Question {
  const { definition, adapter } = table
  const columns = columnsOf(definition, expects.fields)
  const names = sql.join(columns.map((column) => columnOfTable(definition, column)))
  const asked = table.isPart ? joined(columns, table) : table.from
  const present = sql`not ${missing(expects, table)}`
  const groups = (read: Sql) => sql`select ${read} from ${asked} where ${present} group by ${names} having count(*) > 1`
  return {
    faults: groups(sql.join(columns.map((column) => readColumn(adapter, column)))),
    count: sql`select coalesce(sum(dray_rows), 0) from (${groups(sql`count(*) as dray_rows`)}) dray_groups`,
    said: `a ${expects.fields.join(', ')} that another row has`,
  }
}

function joined(columns: readonly ColumnDefinition[], table: CheckedTable): Sql {
  const { definition, from } = table
  const value = (place: number) => sql.id(`dray_value_${place}`)
  const values = columns.map((column, place) => sql`${columnOfTable(definition, column)} as ${value(place)}`)
  const same = columns.map((column, place) => sql`${columnOfTable(definition, column)} = dray_values.${value(place)}`)
  return sql`(select distinct ${sql.join(values)} from ${from}) dray_values join ${tableName(definition)} on ${sql.join(same, sql` and `)}`
}

function queried({ query }: Of<'noRows'>, { definition }: CheckedTable): Question {
  const rows = sql`(${querySql(checkQueryOf(query, definition))}) dray_rows`
  return { faults: sql`select * from ${rows}`, count: sql`select count(*) from ${rows}`, said: 'a fault' }
}
