import { type TableText, tableTextOf } from '../column-clause.ts'
import type { ReadRows } from '../reading.ts'
import { tableNameOf } from '../table-name.ts'
import { literal } from './bind-literals.ts'
import { quote, quoteTable } from './names.ts'

export const TEXT = /^(var)?char\b|text\b/i

/** A table by its own CREATE TABLE, and what that does not say. */
export interface Live extends TableText {
  readonly table: string
  readonly quoted: string
  readonly isTable: boolean
  readonly isInnoDB: boolean
  /** Bytes that a character of a column may need, by the column's name. */
  readonly bytes: ReadonlyMap<string, number>
}

/** Reads a table that is going to be altered. */
export async function liveTable(rows: ReadRows, table: string): Promise<Live> {
  const quoted = quoteTable(table)
  const text = (await rows(`show create table ${quoted}`, []))[0]?.[1] ?? ''
  const { schema: given, name } = tableOf(table)
  const place = (of: string) => `${of}.table_schema = coalesce(${given}, database()) and ${of}.table_name = ${name}`
  const found = await rows(
    `select c.column_name, c.character_octet_length / c.character_maximum_length, t.engine
      from information_schema.columns as c join information_schema.tables as t on ${place('t')} where ${place('c')}`,
    [],
  )
  return {
    ...tableTextOf(text, { hasBackslashes: true }),
    ...{ table, quoted },
    isTable: /^create (?:temporary )?table/i.test(text),
    isInnoDB: found[0]?.[2] === 'InnoDB',
    bytes: new Map(found.map(([column, bytes]) => [column ?? '', Number(bytes ?? 4)])),
  }
}

/** The parts of a table's name as literals; the schema is the word null where it is not named. */
export function tableOf(table: string): { schema: string; name: string } {
  const { schema: given, name } = tableNameOf(table)
  return { schema: given === null ? 'null' : literal(given), name: literal(name) }
}

/** Views, triggers, checks, indexes and generated columns that name a column. */
export async function usesOf(rows: ReadRows, { table, columns, constraints }: Live, column: string): Promise<string[]> {
  const id = quote(column)
  const has = (words: readonly string[]) => words.some((word) => word.includes(id))
  const generated = columns.filter(({ name, rest }) => name !== column && rest.some(isAs) && has(rest))
  // KEY begins no constraint, so that one is taken for a column.
  const indexes = [...constraints, ...columns.map(({ type }) => type)]
  const expressions = indexes.filter((words) =>
    words.some((word) => word.startsWith(words.some(isCheck) ? '(' : '((') && word.includes(id)),
  )
  const kindOf = (words: readonly string[]) => (words.some(isCheck) ? 'check' : 'index')
  const { schema: given, name } = tableOf(table)
  const whole = `concat('\`', coalesce(${given}, database()), '\`.', ${literal(quote(tableNameOf(table).name))})`
  const views = await rows(
    `select table_name from information_schema.views
      where instr(view_definition, ${whole}) > 0 and instr(view_definition, ${literal(`.${id}`)}) > 0 order by 1`,
    [],
  )
  const triggers = await rows(
    `select trigger_name, action_statement from information_schema.triggers
      where event_object_schema = coalesce(${given}, database()) and event_object_table = ${name} order by 1`,
    [],
  )
  const inTrigger = new RegExp(
    `\\b(?:new|old)\\s*\\.\\s*\`?${column.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?![\\w$])`,
    'i',
  )
  return [
    ...generated.map((one) => `the generated column ${one.name}`),
    ...expressions.map((words) => `the ${kindOf(words)} ${nameIn(words)}`),
    ...views.map(([view]) => `the view ${view}`),
    ...triggers.filter(([, text]) => inTrigger.test(text ?? '')).map(([trigger]) => `the trigger ${trigger}`),
  ]
}

const isAs = (word: string) => /^as$/i.test(word)
export const isCheck = (word: string) => /^check$/i.test(word)

/** Of an index or a constraint, as SHOW CREATE TABLE writes it. */
function nameIn(words: readonly string[]): string {
  return (words.find((word) => word.startsWith('`')) ?? '').slice(1, -1).replaceAll('``', '`')
}

/** What keeps a column from being of another type. */
export async function typeNeeded(
  rows: ReadRows,
  table: string,
  column: string,
  from: string,
  to: string,
): Promise<string | null> {
  const { schema: given, name } = tableOf(table)
  const own = (prefix: string) =>
    `${prefix}table_schema = coalesce(${given}, database()) and ${prefix}table_name = ${name} and ${prefix}column_name = ${literal(column)}`
  if (/^long(?:text|blob)$/.test(to)) {
    const indexes = await rows(
      `select index_name from information_schema.statistics where ${own('')} and sub_part is null and index_type <> 'FULLTEXT' order by 1`,
      [],
    )
    if (indexes.length > 0) {
      const names = indexes.map(([index]) => (index === 'PRIMARY' ? 'the primary key' : `the index ${index}`))
      return `${names.join(', ')} has no room for ${to}; drop it first, or make it one of so many characters, as ${quote(column)}(100)`
    }
  }
  if (TEXT.test(from) && TEXT.test(to)) return null
  const keys = await rows(
    `select distinct constraint_name, table_name from information_schema.key_column_usage
      where ${own('')} and referenced_table_name is not null or ${own('referenced_')} order by 1`,
    [],
  )
  const names = keys.map(([key, of]) => `the foreign key ${key} of ${of}`)
  return names.length === 0 ? null : `${names.join(', ')} needs both columns to be of one type; drop it first`
}
