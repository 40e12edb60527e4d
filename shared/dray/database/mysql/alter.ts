import { TransientError } from '#dray/errors.ts'
import {
  type Alteration,
  type AlterCapabilities,
  type Change,
  type ColumnChange,
  type KeyChange,
  keyChanged,
  LOCK_SECONDS,
  typeChanged,
} from '../alterations.ts'
import { type ColumnClause, without } from '../column-clause.ts'
import type { FieldKind } from '../field-kind.ts'
import type { ReadRows } from '../reading.ts'
import { literal } from './bind-literals.ts'
import { mysqlBuilder } from './builder.ts'
import { markOf, unfitValue } from './conversions.ts'
import { isCheck, type Live, liveTable, TEXT, tableOf, typeNeeded, usesOf } from './live-table.ts'
import { quote, quoteTable } from './names.ts'
import { schema } from './schema.ts'

const WRITERS = 'writers wait until it is done'
const WAITS = 'the column has to be renamed first'
const nothing = { locks: null, unfit: [], lost: null, refused: null }

/** Types that hold what a kind writes in the same way as the one that it is made as. */
const AS_GOOD: Readonly<Partial<Record<FieldKind, readonly string[]>>> = {
  bigint: ['bigint unsigned'],
  boolean: ['bit(1)'],
  json: ['json'],
  timestamp: ['timestamp(6)'],
  uuid: ['uuid'],
}

export const alter: AlterCapabilities = {
  isType: (column, liveType) =>
    bare(liveType) === bare(column.type) || (AS_GOOD[column.kind]?.includes(bare(liveType)) ?? false),
  isSame: (type, other) => bare(type) === bare(other),
  ignoresCase: true,
  async alterationsOf(rows, table, changes) {
    const live = await liveTable(rows, table)
    const made: Alteration[] = []
    const key = changes.find((change) => change.kind === 'key')
    for (const change of changes) {
      if (change.kind === 'change') made.push(await columnChanged(rows, live, change, clauseOf(live, change, changes)))
      else if (change.kind === 'key') made.push(await keyed(rows, table, change))
      else if (change.kind === 'drop') made.push(await dropped(rows, live, change.name, key !== undefined))
      else if (change.kind === 'add') made.push(added(live.quoted, change, await addsInstantly(rows, table)))
      else made.push(await renamed(rows, live, change))
    }
    if (!live.isTable) return made.map((one) => ({ ...one, refused: 'it is a view, which is not altered' }))
    const stuck = made.filter(({ refused }, place) => refused !== null && changes[place]?.kind === 'rename')
    return made.map((one) => (one.refused === null && sharesColumn(one, stuck) ? { ...one, refused: WAITS } : one))
  },
  async roomFaults(rows, table, changes) {
    const copy = quoteTable(COPY)
    const isMade = await rows(`create temporary table ${copy} like ${quoteTable(table)}`, []).then(
      () => true,
      () => false,
    )
    // Of what a temporary table cannot be, and for a user who may make none, the table itself says it.
    if (!isMade) return changes.map(() => null)
    try {
      const faults: (string | null)[] = []
      for (const change of changes) {
        const [statement = ''] = added(copy, change, false).sql
        faults.push(await rows(statement, []).then(() => null, faultOfRoom))
      }
      return faults
    } finally {
      await rows(`drop temporary table if exists ${copy}`, [])
    }
  },
  async whileAltering(connection, work) {
    const { rows } = await connection.query('select @@lock_wait_timeout')
    await connection.query(`set lock_wait_timeout = ${LOCK_SECONDS}`)
    try {
      return await work()
    } finally {
      await connection.query(`set lock_wait_timeout = ${rows[0]?.[0]}`)
    }
  },
  lockTable: (table) => ({ before: `lock tables ${quoteTable(table)} write`, after: 'unlock tables' }),
}

const COPY = 'dray_room'

/** Of a row, of a table's columns. */
const NO_ROOM = new Set([1117, 1118, 1074])

function faultOfRoom(error: unknown): string | null {
  const cause = error instanceof Error ? (error.cause as { readonly errno?: number } | undefined) : undefined
  if (cause?.errno !== undefined && NO_ROOM.has(cause.errno)) return (error as Error).message
  if (error instanceof TransientError) throw error
  return null
}

function sharesColumn({ columns }: Alteration, others: readonly Alteration[]): boolean {
  return others.some((other) => other.columns.some((column) => columns.includes(column)))
}

/** Without the width that numbers are shown in; `tinyint(1)` says that it is a boolean. */
function bare(type: string): string {
  return type
    .replace(/^((?:small|medium|big)?int|tinyint)\((?!1\))\d+\)/, '$1')
    .replace(/^((?:small|medium|big)?int)\(1\)/, '$1')
    .replace(/^year\(4\)/, 'year')
}

/** The column as the server writes it; its name may be that of before a rename that comes first. */
function clauseOf(
  { columns }: Pick<Live, 'columns'>,
  { column }: ColumnChange,
  changes: readonly Change[],
): ColumnClause {
  const renamed = changes.find((change) => change.kind === 'rename' && change.to === column.name)
  const name = renamed?.kind === 'rename' ? renamed.from : column.name
  return columns.find((clause) => clause.name === name) ?? { name, type: [], rest: [] }
}

/** Texts compare byte by byte in what `createTable()` makes, whatever the table's own collation is. */
function collated(type: string): string {
  return TEXT.test(type) && !/ character set /.test(type) ? `${type} character set utf8mb4 collate utf8mb4_bin` : type
}

async function renamed(rows: ReadRows, live: Live, { from, to }: Extract<Change, { kind: 'rename' }>) {
  const sql = [`alter table ${live.quoted} rename column ${quote(from)} to ${quote(to)}`]
  const what = `renames ${from} to ${to}`
  const own = live.columns.filter(({ rest }) => rest.some(isCheck) && rest.some((word) => word.includes(quote(from))))
  const isRespelt = from.toLowerCase() === to.toLowerCase()
  const uses = isRespelt ? [] : [...own.map(({ name }) => `the check of ${name}`), ...(await usesOf(rows, live, from))]
  const refused =
    uses.length === 0 ? null : `${uses.join(', ')} would not have the new name; drop it first, and make it again`
  return { ...nothing, columns: [to], mark: 'safe', what, sql, refused } as const
}

/**
 * Whether a column comes in by the table's description alone.
 * https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html#online-ddl-column-operations
 */
async function addsInstantly(rows: ReadRows, table: string): Promise<boolean> {
  const { schema: given, name } = tableOf(table)
  const [found] = await rows(
    `select count(*) from information_schema.tables as t
      where ${PLACE(given)} and table_name = ${name} and engine = 'InnoDB' and row_format <> 'Compressed'
        and not exists (select 1 from information_schema.statistics as s
                         where s.table_schema = t.table_schema and s.table_name = t.table_name and s.index_type = 'FULLTEXT')`,
    [],
  )
  return Number(found?.[0]) > 0
}

function added(name: string, change: Extract<Change, { kind: 'add' }>, isInstant: boolean): Alteration {
  const { column, nullable } = change
  const parts = [
    `alter table ${name} add column ${quote(column.name)} ${collated(column.type)} ${nullable ? 'null' : 'not null'}`,
    ...(column.startsAtZero ? ['default 0'] : []),
    ...(column.isGenerated ? ['auto_increment unique'] : []),
  ]
  const one = { ...nothing, columns: [column.name], what: `adds ${column.name} ${column.type}` }
  if (column.isGenerated || !isInstant) return { ...one, mark: 'rewrites', sql: [parts.join(' ')], locks: WRITERS }
  return { ...one, mark: 'safe', sql: [`${parts.join(' ')}, algorithm=instant`] }
}

const PLACE = (column: string) => `table_schema = coalesce(${column}, database())`

async function dropped(rows: ReadRows, live: Live, column: string, key: boolean): Promise<Alteration> {
  const [name, id] = [live.quoted, quote(column)]
  const whole = tableOf(live.table)
  const place = `${PLACE(whole.schema)} and table_name = ${whole.name} and column_name = ${literal(column)}`
  const found = await rows(
    `select distinct if(index_name = 'PRIMARY', 'the primary key', concat('the index ', index_name)) from information_schema.statistics
      where ${place} ${key ? "and index_name <> 'PRIMARY'" : ''}
     union select concat('the foreign key ', constraint_name) from information_schema.key_column_usage where ${place} and referenced_table_name is not null`,
    [],
  )
  const dependents = [...found.map(([text]) => text), ...(await usesOf(rows, live, column))].join(', ')
  return {
    columns: [column],
    mark: 'loses data',
    what: `drops ${column}`,
    sql: [`alter table ${name} drop column ${id}`],
    locks: null,
    unfit: [],
    lost: `select count(${id}) from ${name}`,
    refused: dependents === '' ? null : `${dependents} would lose it`,
  }
}

async function keyed(rows: ReadRows, table: string, change: KeyChange): Promise<Alteration> {
  const name = quoteTable(table)
  const { sql, parameters } = schema.foreignKeysTo(table).compile(mysqlBuilder())
  const referring = change.former.length === 0 ? [] : await rows(sql, parameters as string[])
  const names = [...new Set(referring.map(([key, , other]) => `the foreign key ${key} of ${other}`))]
  const columns = change.columns.map(quote)
  const drop = change.former.length === 0 ? [] : ['drop primary key']
  return {
    columns: change.columns,
    mark: 'rewrites',
    what: keyChanged(change),
    sql: [`alter table ${name} ${[...drop, `add primary key (${columns.join(', ')})`].join(', ')}`],
    locks: WRITERS,
    unfit: [
      {
        what: `have NULL in the key ${change.columns.join(', ')}`,
        count: `select count(*) from ${name} where ${columns.map((column) => `${column} <=> null`).join(' or ')}`,
      },
      {
        what: `share a key ${change.columns.join(', ')} with another row`,
        count: `select coalesce(sum(n), 0) from (select count(*) as n from ${name} group by ${columns.join(', ')} having count(*) > 1) same`,
      },
    ],
    lost: null,
    refused: names.length === 0 ? null : `${names.join(', ')} may need the former key; drop it first`,
  }
}

/** One MODIFY, which has to say all of the column again. */
async function columnChanged(
  rows: ReadRows,
  live: Live,
  change: ColumnChange,
  clause: ColumnClause,
): Promise<Alteration> {
  const { column, liveType, type, nullable, startsAtZero, isGenerated } = change
  const name = live.quoted
  const id = quote(column.name)
  const from = bare(liveType)
  const ofType = type ? markOf(from, column.type, live.bytes.get(clause.name) ?? 4) : 'safe'
  // Only InnoDB changes a type in place.
  const typeMark = type && ofType === 'safe' && !live.isInnoDB ? 'rewrites' : ofType
  const what = [
    ...(type ? [typeChanged(column.name, from, column.type, typeMark)] : []),
    ...(nullable ? [column.nullable ? `lets ${column.name} be NULL` : `makes ${column.name} NOT NULL`] : []),
    ...(startsAtZero ? [`gives ${column.name} the default 0`] : []),
    ...(isGenerated ? [`has ${column.name} numbered by the database`] : []),
  ].join(', ')
  const unfit = [
    ...(typeMark === 'loses data'
      ? [
          {
            what: `do not fit into ${column.type} in ${column.name}`,
            count: `select count(*) from ${name} where ${id} is not null and ${unfitValue(id, from, column.type)}`,
          },
        ]
      : []),
    ...(nullable && !column.nullable
      ? [{ what: `are NULL in ${column.name}`, count: `select count(*) from ${name} where ${id} <=> null` }]
      : []),
  ]
  if (startsAtZero && !type && !nullable && !isGenerated) {
    const sql = [`alter table ${name} alter column ${id} set default 0`]
    return { ...nothing, columns: [column.name], mark: 'safe', what, sql }
  }
  const mark = typeMark === 'safe' && (nullable || isGenerated) ? 'rewrites' : typeMark
  const modified = `alter table ${name} modify column ${id} ${definition(change, clause)}`
  const sql = [mark === 'safe' ? `${modified}, algorithm=inplace, lock=none` : modified]
  const refused = type ? await typeNeeded(rows, live.table, clause.name, from, column.type) : null
  return {
    ...nothing,
    columns: [column.name],
    mark,
    what,
    sql,
    locks: mark === 'safe' ? null : WRITERS,
    unfit,
    refused,
  }
}

/** Defaults as the new type takes them. */
function defaultsOf(words: readonly string[], to: string): readonly string[] {
  if (to === 'datetime(6)') {
    const isNow = (word: string | undefined) => /^current_timestamp$/i.test(word ?? '')
    return words.flatMap((word, at) => {
      if (isNow(word)) return ['current_timestamp(6)']
      return isNow(words[at - 1]) && /^\(\d*\)$/.test(word) ? [] : [word]
    })
  }
  if (!/^long(?:text|blob)$/.test(to)) return words
  // MySQL gives these an expression only.
  return words.map((word, at) => (/^default$/i.test(words[at - 1] ?? '') && !word.startsWith('(') ? `(${word})` : word))
}

function definition({ column, type, startsAtZero, isGenerated }: ColumnChange, clause: ColumnClause): string {
  const keepsText = TEXT.test(clause.type.join(' ')) && TEXT.test(column.type)
  const free = [['default', 'null'], ['not', 'null'], ['null']].reduce((words, run) => without(words, run), clause.rest)
  const isOfText = type && !keepsText
  const kept = isOfText ? without(without(free, ['character', 'set'], 1), ['collate'], 1) : free
  const rest = type ? defaultsOf(kept, column.type) : kept
  // MariaDB takes nothing behind a CHECK.
  const check = rest.findIndex(isCheck)
  const end = check === -1 ? rest.length : check
  return [
    ...(type ? [keepsText ? column.type : collated(column.type)] : clause.type),
    ...rest.slice(0, end),
    column.nullable ? 'null' : 'not null',
    ...(startsAtZero ? ['default 0'] : []),
    ...(isGenerated ? ['auto_increment'] : []),
    ...rest.slice(end),
  ].join(' ')
}
