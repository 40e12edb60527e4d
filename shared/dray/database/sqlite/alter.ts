import { createHash } from 'node:crypto'
import { TerminalError } from '#dray/errors.ts'
import {
  type Alteration,
  type AlterCapabilities,
  type Change,
  type ColumnChange,
  type KeyChange,
  keyChanged,
  type Mark,
  typeChanged,
  type UnfitRows,
  type WantedColumn,
  worstOf,
} from '../alterations.ts'
import { type ColumnClause, has, type TableText, tableTextOf, without } from '../column-clause.ts'
import type { FieldKind } from '../field-kind.ts'
import type { LockableConnection, ReadRows } from '../reading.ts'
import { tableNameOf, tableText } from '../table-name.ts'
import { inWriteTransaction } from '../write-transaction.ts'
import { affinityOf } from './affinity.ts'
import { quote, quoteTable } from './names.ts'

const WRITERS = 'writers wait until it is done'
const nothing = { locks: null, unfit: [], lost: null, refused: null }

/** Kinds whose values a column of numbers, or of a type that is not known, leaves as they are. */
const AS_NUMERIC: ReadonlySet<FieldKind> = new Set(['bigint', 'integer', 'boolean', 'date', 'timestamp'])

/** Whatever ALTER TABLE cannot do is done by a new table that takes the place of the former one. */
export const alter: AlterCapabilities = {
  ignoresCase: true,
  isType({ kind, type }, liveType) {
    const affinity = affinityOf(liveType)
    if (affinity === affinityOf(type)) return liveType !== '' || type !== 'BLOB'
    return affinity === 'NUMERIC' && AS_NUMERIC.has(kind)
  },
  isSame: (type, other) => affinityOf(type) === affinityOf(other),
  async alterationsOf(rows, table, changes) {
    const renames = changes.filter((change) => change.kind === 'rename')
    const adds = changes.filter((change) => change.kind === 'add')
    const rebuilt = changes.flatMap((change) => formerNames(change, renames))
    const made = adds.map((change) => native(table, change))
    if (rebuilt.length > 0) made.push(await rebuiltTable(rows, table, rebuilt, adds))
    // Only SQLite itself writes the new name into indexes, triggers and checks, which a rebuilt table has as they were.
    made.push(...renames.map((change) => native(table, change)))
    const key = rebuilt.some(({ kind }) => kind === 'key')
    for (const change of changes) {
      if (change.kind === 'drop') made.push(await dropped(rows, table, change.name, key))
    }
    return made
  },
  whileAltering,
  // A transaction that writes is the only one.
  lockTable: () => ({ before: null, after: null }),
}

type Native = Exclude<Change, { kind: 'change' | 'key' | 'drop' }>
type Rename = Extract<Change, { kind: 'rename' }>
type Added = Extract<Change, { kind: 'add' }>
type Rebuilt = ColumnChange | KeyChange

/** What is rebuilt, under the names that columns have before they are renamed. */
function formerNames(change: Change, renames: readonly Rename[]): Rebuilt[] {
  const formerOf = (name: string) => renames.find(({ to }) => to === name)?.from ?? name
  if (change.kind === 'change') {
    return [{ ...change, column: { ...change.column, name: formerOf(change.column.name) } }]
  }
  if (change.kind !== 'key') return []
  return [{ ...change, columns: change.columns.map(formerOf), former: change.former.map(formerOf) }]
}

/** https://www.sqlite.org/lang_altertable.html */
function native(table: string, change: Native): Alteration {
  const name = quoteTable(table)
  if (change.kind === 'rename') {
    const sql = [`alter table ${name} rename column ${quote(change.from)} to ${quote(change.to)}`]
    return { ...nothing, columns: [change.to], mark: 'safe', what: `renames ${change.from} to ${change.to}`, sql }
  }
  const { column, nullable } = change
  const sql = [`alter table ${name} add column ${clauseText(added(column, nullable))}`]
  return { ...nothing, columns: [column.name], mark: 'safe', what: `adds ${column.name} ${column.type}`, sql }
}

/** SQLite names one of them only, and when it is too late. */
async function dropped(rows: ReadRows, table: string, column: string, key: boolean): Promise<Alteration> {
  const { schema, name } = tableNameOf(table)
  const [of, last] = schema === null ? ['?1', '?2'] : ['?1, ?3', '?2']
  const found = await rows(
    `select distinct 'the index ' || il.name from pragma_index_list(${of}) il, pragma_index_info(il.name${of.slice(2)}) ii
      where ii.name = ${last} collate nocase ${key ? "and il.origin <> 'pk'" : ''}
     union all select 'the foreign key to ' || "table" from pragma_foreign_key_list(${of}) where "from" = ${last} collate nocase`,
    [name, column, ...(schema === null ? [] : [schema])],
  )
  const [whole, id] = [quoteTable(table), quote(column)]
  return {
    ...nothing,
    columns: [column],
    mark: 'loses data',
    what: `drops ${column}`,
    sql: [`alter table ${whole} drop column ${id}`],
    locks: WRITERS,
    lost: `select count(${id}) from ${whole}`,
    refused: found.length === 0 ? null : `${found.map(([text]) => text).join(', ')} would lose it`,
  }
}

function added({ name, type, startsAtZero }: WantedColumn, nullable: boolean): ColumnClause {
  return { name, type: [type], rest: [...(nullable ? [] : ['not null']), ...(startsAtZero ? ['default 0'] : [])] }
}

function clauseText({ name, type, rest }: ColumnClause): string {
  return [quote(name), ...type, ...rest].join(' ')
}

const TABLE =
  "select type, sql, name from SCHEMA where tbl_name = ? collate nocase and sql is not null order by type = 'table' desc, rowid"

/** https://www.sqlite.org/lang_altertable.html#otheralter */
async function rebuiltTable(
  rows: ReadRows,
  table: string,
  changes: readonly Rebuilt[],
  adds: readonly Added[],
): Promise<Alteration> {
  const { schema, name } = tableNameOf(table)
  const found = await rows(
    TABLE.replace('SCHEMA', schema === null ? 'sqlite_schema' : `${quote(schema)}.sqlite_schema`),
    [name],
  )
  const [kind, text] = found[0] ?? []
  const former = withAdded(tableTextOf(text ?? ''), adds)
  const next = changes.reduce(changed, former)
  // The same for each plan of a table, since what is applied has to be what was planned.
  const nextName = `dray_next_${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
  const to = quoteTable(tableText({ schema, name: nextName }))
  const written = next.columns.filter(({ rest }) => !has(rest, 'as'))
  const selected = written.map((column) => castValue(column.name, changes))
  const parts = changes.map((change) => partOf(quoteTable(table), change))
  return {
    columns: parts.flatMap(({ columns }) => columns),
    mark: worstOf(parts.map(({ mark }) => mark)),
    what: parts.map(({ what }) => what).join(', '),
    sql: [
      `create table ${to} (${[...next.columns.map(clauseText), ...next.constraints.map((words) => words.join(' '))].join(', ')}) ${next.options}`.trim(),
      `insert into ${to} (${written.map((column) => quote(column.name)).join(', ')}) select ${selected.join(', ')} from ${quoteTable(table)}`,
      ...(/\bautoincrement\b/i.test(text ?? '') ? [numbersKept(name, nextName)] : []),
      `drop table ${quoteTable(table)}`,
      // Else a view of the table, which is away for a moment, would keep the other one from taking its name.
      'pragma legacy_alter_table = 1',
      `alter table ${to} rename to ${quote(name)}`,
      'pragma legacy_alter_table = 0',
      ...found.slice(1).map(([, other]) => other ?? ''),
    ],
    locks: WRITERS,
    unfit: parts.flatMap(({ unfit }) => unfit),
    lost: null,
    refused: refusalOf(kind ?? '', text ?? '', next),
  }
}

/** A new table begins behind the greatest number that there is, which may be of a row that is deleted. */
function numbersKept(name: string, next: string): string {
  const [from, to] = [name, next].map((text) => `'${text.replaceAll("'", "''")}'`)
  return `update sqlite_sequence set seq = (select seq from sqlite_sequence where name = ${from}) where name = ${to}`
}

function refusalOf(kind: string, text: string, { columns }: TableText): string | null {
  if (kind !== 'table' || columns.length === 0) return 'it is no table of rows'
  return /^\s*create\s+virtual\b/i.test(text) ? 'it is a virtual table, which cannot be made anew' : null
}

function withAdded({ columns, ...table }: TableText, adds: readonly Added[]): TableText {
  return { ...table, columns: [...columns, ...adds.map(({ column, nullable }) => added(column, nullable))] }
}

function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

function changed(table: TableText, change: Rebuilt): TableText {
  if (change.kind === 'key') {
    return {
      ...table,
      columns: table.columns.map((column) => ({ ...column, rest: restOf(column, change) })),
      constraints: [
        ...table.constraints.filter((words) => !has(words, 'primary', 'key')),
        [`primary key (${change.columns.map(quote).join(', ')})`],
      ],
    }
  }
  const columns = table.columns.map((one) => (same(one.name, change.column.name) ? changedColumn(one, change) : one))
  return { ...table, columns }
}

/** A column of the former key could not be NULL, whether it said so or not. */
function restOf({ name, rest }: ColumnClause, { former }: KeyChange): readonly string[] {
  const keyless = withoutKey(rest)
  const wasKey = former.some((column) => same(column, name))
  return wasKey && !has(keyless, 'not', 'null') ? [...without(keyless, ['null']), 'not null'] : keyless
}

/** Without `[constraint name] primary key [desc] [on conflict abort] [autoincrement]`. */
function withoutKey(rest: readonly string[]): readonly string[] {
  const is = (place: number, word: string) => rest[place]?.toLowerCase() === word
  const place = rest.findIndex((_, at) => is(at, 'primary') && is(at + 1, 'key'))
  if (place === -1) return rest
  let end = place + 2
  if (is(end, 'asc') || is(end, 'desc')) end += 1
  if (is(end, 'on') && is(end + 1, 'conflict')) end += 3
  if (is(end, 'autoincrement')) end += 1
  return [...rest.slice(0, is(place - 2, 'constraint') ? place - 2 : place), ...rest.slice(end)]
}

function changedColumn(one: ColumnClause, { column, type, nullable, startsAtZero }: ColumnChange): ColumnClause {
  const free = nullable
    ? [['default', 'null'], ['not', 'null'], ['null']].reduce((words, run) => without(words, run), one.rest)
    : one.rest
  return {
    name: one.name,
    type: type ? [column.type] : one.type,
    rest: [...free, ...(nullable && !column.nullable ? ['not null'] : []), ...(startsAtZero ? ['default 0'] : [])],
  }
}

/** The value of the former table in the column's new type. */
function castValue(name: string, changes: readonly Rebuilt[]): string {
  const change = changes.find((one) => one.kind === 'change' && same(one.column.name, name))
  return change?.kind === 'change' && change.type ? `cast(${quote(name)} as ${change.column.type})` : quote(name)
}

interface Part {
  readonly columns: readonly string[]
  readonly mark: Mark
  readonly what: string
  readonly unfit: readonly UnfitRows[]
}

function partOf(name: string, change: Rebuilt): Part {
  if (change.kind === 'key') return keyPart(name, change)
  const { column, liveType, type, nullable, startsAtZero } = change
  const id = quote(column.name)
  const isLossless = affinityOf(liveType) === 'INTEGER' && column.type === 'TEXT'
  const mark = type && !isLossless ? 'loses data' : 'rewrites'
  const what = [
    ...(type ? [typeChanged(column.name, liveType, column.type, mark)] : []),
    ...(nullable ? [column.nullable ? `lets ${column.name} be NULL` : `makes ${column.name} NOT NULL`] : []),
    ...(startsAtZero ? [`gives ${column.name} the default 0`] : []),
  ]
  const unfit = [
    ...(type
      ? [
          {
            what: `do not fit into ${column.type} in ${column.name}`,
            count: `select count(*) from ${name} where ${unfitValue(id, column.type)}`,
          },
        ]
      : []),
    ...(nullable && !column.nullable
      ? [{ what: `are NULL in ${column.name}`, count: `select count(*) from ${name} where ${id} is null` }]
      : []),
  ]
  return { columns: [column.name], mark, what: what.join(', '), unfit }
}

/** A value comes back from the other type as what it was, and bytes are not taken for text. */
function unfitValue(id: string, type: string): string {
  const back = (kind: string) => `cast(cast(${id} as ${type}) as ${kind}) is not ${id}`
  const bytes = type === 'BLOB' ? 'false' : 'true'
  return `case typeof(${id}) when 'null' then false when 'blob' then ${bytes} when 'text' then ${back('TEXT')} when 'integer' then ${back('INTEGER')} else ${back('REAL')} end`
}

function keyPart(name: string, change: KeyChange): Part {
  const columns = change.columns.map(quote)
  const key = change.columns.join(', ')
  return {
    columns: change.columns,
    mark: 'rewrites',
    what: keyChanged(change),
    unfit: [
      {
        what: `have NULL in the key ${key}`,
        count: `select count(*) from ${name} where ${columns.map((column) => `${column} is null`).join(' or ')}`,
      },
      {
        what: `share a key ${key} with another row`,
        count: `select coalesce(sum(n), 0) from (select count(*) as n from ${name} group by ${columns.join(', ')} having count(*) > 1)`,
      },
    ],
  }
}

/** With foreign keys on, a table that is dropped takes along the rows that refer to it. */
async function whileAltering<T>(connection: LockableConnection, work: () => Promise<T>): Promise<T> {
  const { rows } = await connection.query('pragma foreign_keys')
  await connection.query('pragma foreign_keys = 0')
  try {
    return await inWriteTransaction(connection, async () => {
      // A key that refers to no key of its parent fails the check; such a schema is as it was before.
      const violated = await violations(connection).catch(() => null)
      const result = await work()
      if (violated === null) return result
      const others = (await violations(connection)).filter((row) => !violated.includes(row))
      if (others.length === 0) return result
      throw new TerminalError(
        `foreign keys would no longer hold (table, parent, key: ${others.slice(0, 5).join('; ')}), so nothing was changed; mend the rows, or drop the foreign key`,
      )
    })
  } finally {
    await connection.query('pragma legacy_alter_table = 0')
    await connection.query(`pragma foreign_keys = ${rows[0]?.[0] ?? '0'}`)
  }
}

async function violations(connection: LockableConnection): Promise<string[]> {
  const { rows } = await connection.query('select distinct "table", parent, fkid from pragma_foreign_key_check')
  return rows.map((row) => row.join(' '))
}
