import type { Text } from 'dray/internal/block/block.ts'
import type { LiveTable } from 'dray/internal/database/adapter.ts'

export interface MemoryColumn {
  readonly name: string
  readonly type: string
  readonly notNull: boolean
  /** Characters at most, from `varchar(n)`. */
  readonly length: number | null
}

/** A table as it was declared. */
export interface MemoryTable {
  readonly name: string
  readonly columns: readonly MemoryColumn[]
  readonly primaryKey: readonly string[]
  /** Unique keys beside the primary key, of one column each. */
  readonly uniqueKeys: readonly (readonly string[])[]
}

/** The table that a CREATE TABLE statement declares, in full or like another one. */
export function declared(sql: string, known: (name: string) => MemoryTable): MemoryTable {
  const like = /^create table "(\w+)" \(like "(\w+)" including all /.exec(sql)
  if (like !== null) return { ...known(like[2] as string), name: like[1] as string }
  const [, name = '', body = ''] = /^create table (?:if not exists )?"(\w+)" \((.*)\)$/s.exec(sql) ?? []
  const primaryKey = [...(/, primary key \((.*)\)$/.exec(body)?.[1] ?? '').matchAll(/"(\w+)"/g)].map(
    (each) => each[1] as string,
  )
  const uniqueKeys = [...body.matchAll(/, unique \("(\w+)"\)/g)].map((each) => [each[1] as string])
  const columns = [
    ...body.replace(/, (primary key|unique) .*$/, '').matchAll(/"(\w+)" ([\w ]+?(?:\(\d+\))?)( not null)?(?:, |$)/g),
  ].map(([, column = '', type = '', notNull]) => ({
    name: column,
    type,
    notNull: notNull !== undefined,
    length: /^varchar\((\d+)\)$/.test(type) ? Number(/\d+/.exec(type)?.[0]) : null,
  }))
  return { name, columns, primaryKey, uniqueKeys }
}

/** The table once a statement has renamed a column of it, or added one. */
export function altered(sql: string, table: MemoryTable): MemoryTable {
  const [, from, to] = / rename column "(\w+)" to "(\w+)"$/.exec(sql) ?? []
  const [, added, type = ''] = / add column "(\w+)" (\w+)$/.exec(sql) ?? []
  if (to !== undefined) {
    return { ...table, columns: table.columns.map((one) => (one.name === from ? { ...one, name: to } : one)) }
  }
  if (added === undefined)
    throw new TypeError(`The simulated database cannot alter a table like this; teach it: ${sql}`)
  return { ...table, columns: [...table.columns, { name: added, type, notNull: false, length: null }] }
}

export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

/** A name of the versions behind a table, or of a hidden column, which no model can have. */
export const VERSIONS = '$versions'
export const HIDDEN = { rowid: 'rowid$', from: 'from$', to: 'to$', changes: '$changes' } as const

/**
 * Statements that keep a table as versions of rows behind a view of those that the reader may see. What is written to
 * the view is only noted down: whether and when it takes effect is the business of transactions, not of SQLite.
 */
export function ddlOf(table: MemoryTable): string {
  const { name, columns, primaryKey } = table
  const versions = quote(name + VERSIONS)
  const index =
    primaryKey.length === 0
      ? ''
      : `create index ${quote(`${name}$key`)} on ${versions} (${primaryKey.map(quote).join(', ')});`
  const list = columns.map((column) => `${quote(column.name)} ${column.type}${collationOf(column)}`).join(', ')
  return `create table ${versions} (${list}, ${HIDDEN.from} integer, ${HIDDEN.to} integer); ${index} ${viewOf(table)}`
}

/** As `citext` compares: capitals make no difference. */
const FOLDED = 'citext'

export function collationOf({ type }: MemoryColumn): string {
  return type === FOLDED ? ' collate nocase' : ''
}

/** What is the same for every text that the column takes for this one. */
export function foldedFor({ columns }: MemoryTable, column: string, text: Text): Text {
  return columns.find(({ name }) => name === column)?.type === FOLDED ? (text?.toLowerCase() ?? null) : text
}

/** Statements that make a table anew as it was altered, with the same versions under the same numbers. */
export function alterationOf(before: MemoryTable, after: MemoryTable): string {
  const [old, now] = [quote(`${before.name}$old`), quote(after.name + VERSIONS)]
  const names = (columns: readonly MemoryColumn[]) =>
    ['rowid', ...columns.map(({ name }) => quote(name)), HIDDEN.from, HIDDEN.to].join(', ')
  return `drop view ${quote(before.name)}; drop index if exists ${quote(`${before.name}$key`)};
    alter table ${quote(before.name + VERSIONS)} rename to ${old}; ${ddlOf(after)}
    insert into ${now} (${names(after.columns.slice(0, before.columns.length))}) select ${names(before.columns)} from ${old};
    drop table ${old};`
}

function viewOf({ name, columns }: MemoryTable): string {
  const list = (of: (column: MemoryColumn) => string) => columns.map(of).join(', ')
  const view = quote(name)
  const versions = quote(name + VERSIONS)
  const note = (op: string, row: string, values: string) =>
    `create trigger ${quote(`${name}$${op}`)} instead of ${op} on ${view} begin
       insert into ${quote(HIDDEN.changes)} values ('${op}', '${name}', ${row}, ${values}); end;`
  const added = `json_array(${list((column) => `new.${quote(column.name)}`)})`
  const old = `old.${quote(HIDDEN.rowid)}`
  return `create view ${view} as select ${list((column) => quote(column.name))}, rowid as ${quote(HIDDEN.rowid)} from ${versions} where visible(${HIDDEN.from}, ${HIDDEN.to});
    ${note('insert', 'null', added)} ${note('update', old, added)} ${note('delete', old, 'null')}`
}

export function liveTable({ columns, primaryKey, uniqueKeys }: MemoryTable): LiveTable {
  return {
    columns: columns.map(({ name, type, notNull }) => ({
      name,
      type: typeInCatalogue(type),
      nullable: !notNull,
      hasDefault: false,
      isComputed: false,
    })),
    primaryKey,
    uniqueKeys,
  }
}

/** A type as PostgreSQL's catalogue names it. */
function typeInCatalogue(declared: string): string {
  return declared
    .toLowerCase()
    .replace(/^timestamptz/, 'timestamp with time zone')
    .replace(/^varchar/, 'character varying')
}

const TIME = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:\+00)?$/

/** Instants in the one form in which they compare as text, whatever form they come in; other texts as they are. */
export function canonical(value: Text): Text {
  if (value === null || value.length < 19) return value
  const parts = TIME.exec(value)
  return parts === null ? value : `${parts[1]} ${parts[2]}.${(parts[3] ?? '').padEnd(6, '0')}`
}

/** Milliseconds since 1970 as this database prints instants. */
export function timeText(milliseconds: number): string {
  const text = new Date(milliseconds).toISOString()
  return `${text.slice(0, 10)} ${text.slice(11, 23)}000`
}
