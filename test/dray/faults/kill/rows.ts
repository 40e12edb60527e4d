import { type Observer, type Rows, speechOf } from './engines.ts'
import { SKIPPED } from './models.ts'

/** Rows that are bad by their number: without a label, refused by the target, left out. */
const NO_LABEL = 97
const REFUSED = 331
const LEFT_OUT = 83
export const isGood = `id % ${NO_LABEL} <> 0 and id % ${REFUSED} <> 0 and id % ${LEFT_OUT} <> 0`

export async function createTables(source: Observer, target: Observer): Promise<void> {
  await source.run(
    `create table item (id bigint primary key, code varchar(40) not null, label varchar(60), amount decimal(18, 4) not null, note text, changed_at ${speechOf(source).instant} not null, moved_at ${speechOf(source).instant})`,
  )
  await source.run('create index item_changed on item (changed_at)')
  const { instant } = speechOf(target)
  const content = `label varchar(60) not null, amount decimal(18, 4) not null, note text, source_id bigint not null, changed_at ${instant} not null, check (amount >= 0)`
  await target.run(`create table product (code varchar(40) primary key, ${content})`)
  await target.run(
    `create table shared (origin varchar(10) not null, code varchar(40) not null, ${content}, primary key (origin, code))`,
  )
  await target.run(`create table event (code varchar(40) not null, ${content})`)
  await target.run(
    `create table version (code varchar(40) not null, valid_from ${instant} not null, valid_to ${instant}, is_current boolean not null, ${content}, primary key (code, valid_from))`,
  )
}

/** The server's clock, in UTC, with microseconds. */
export async function clockOf(source: Observer): Promise<string> {
  const now = source.engine === 'postgres' ? 'clock_timestamp()' : 'now(6)'
  return (await source.run(`select ${speechOf(source).stamp(now)}`))[0]?.[0] as string
}

/**
 * Writes rows `from` to `to` of which every `every`-th is meant, stamped from now on, a microsecond apart. Each tenth
 * shares its code with the one before it, bad ones as well: where the target refuses them, the one before stands in.
 * Returns the last stamp.
 */
export async function writeRows(
  source: Observer,
  range: {
    readonly from: number
    readonly to: number
    readonly every?: number
    readonly place?: number
    /** Gives each row a code of its own. */
    readonly ownCodes?: boolean
  },
  version: number,
): Promise<string> {
  const { from, to, every = 1, place = 0, ownCodes = false } = range
  const { series, code, micros, upsert, text } = speechOf(source)
  const base = await clockOf(source)
  const bad = (id: string) => `(${id} % ${NO_LABEL} = 0 or ${id} % ${REFUSED} = 0 or ${id} % ${LEFT_OUT} = 0)`
  const label = `case when id % ${NO_LABEL} = 0 then null when id % ${LEFT_OUT} = 0 then '${SKIPPED}' else ${concat(source, "'label '", text('id'), `' v${version}'`)} end`
  const amount = `case when id % ${REFUSED} = 0 then -1 else id * 1.25 + ${version} end`
  const note = `case when id % 5 = 0 then null when id % 7 = 0 then '' else ${concat(source, "'ä\\t\\n€ 😀 '", text('id'))} end`
  const shared = `case when id % 10 = 3 and not ${bad('(id - 1)')} then ${code('id - 1')} else ${code('id')} end`
  await source.run(
    `insert into item (id, code, label, amount, note, changed_at) select id, ${ownCodes ? code('id') : shared}, ${label}, ${amount}, ${note}, ${micros(base, `id - ${from}`)} from ${series(from, to)} where id % ${every} = ${place % every} ${upsert}`,
  )
  const last = (await source.run(`select ${speechOf(source).stamp('max(changed_at)')} from item`))[0]?.[0]
  return last as string
}

function concat({ engine }: Observer, ...parts: readonly string[]): string {
  return engine === 'postgres' ? parts.join(' || ') : `concat(${parts.join(', ')})`
}

/** The digest of a row as it is in the target, by the expressions that give its columns. */
export function digestOf(observer: Observer, columns: { label?: string; note: string; sourceId: string }): string {
  const { text, stamp, hash } = speechOf(observer)
  const note = `coalesce(${columns.note}, '~')`
  const parts = ['code', columns.label ?? 'label', text('amount'), note, text(columns.sourceId), stamp('changed_at')]
  return hash(`concat_ws('|', ${parts.join(', ')})`)
}

export interface Due {
  readonly code: string
  readonly digest: string
  readonly changedAt: string
}

/**
 * What the target must hold for each code by what the source holds now, by digests that the source's server works out.
 */
export async function dueRows(source: Observer, before: string | null): Promise<Due[]> {
  const { stamp, literal } = speechOf(source)
  const digest = digestOf(source, { note: concat(source, "'n:'", 'note'), sourceId: 'id' })
  const until = before === null ? '' : ` and changed_at < ${literal(before)}`
  const rows = await source.run(
    `select code, digest, at from (select code, ${digest} as digest, ${stamp('changed_at')} as at, row_number() over (partition by code order by changed_at desc, id desc) as n from item where label is not null and label <> '${SKIPPED}' and amount >= 0${until}) as due where n = 1`,
  )
  return rows.map(([code, text, at]) => ({ code: code as string, digest: text as string, changedAt: at as string }))
}

/**
 * The digests of all good rows of the source, by code: a run that is half done may have landed any of those that share
 * one.
 */
export async function possibleRows(source: Observer): Promise<Map<string, Set<string>>> {
  const digest = digestOf(source, { note: concat(source, "'n:'", 'note'), sourceId: 'id' })
  const rows = await source.run(
    `select code, ${digest} from item where label is not null and label <> '${SKIPPED}' and amount >= 0`,
  )
  const possible = new Map<string, Set<string>>()
  for (const [code, text] of rows as unknown as [string, string][]) {
    possible.set(code, (possible.get(code) ?? new Set()).add(text))
  }
  return possible
}

/** Digests of the target's rows by code, worked out by the target's server. */
export function landedRows(target: Observer, table = 'product'): Promise<Map<string, string>> {
  return rowsByText(target, `select code, ${digestOf(target, { note: 'note', sourceId: 'source_id' })} from ${table}`)
}

/** Pairs of texts that a query gives. */
export async function rowsByText(observer: Observer, sql: string): Promise<Map<string, string>> {
  return new Map((await observer.run(sql)) as unknown as [string, string][])
}

/** Digests of the source's bad rows in a window, by id. */
export async function badRows(source: Observer, lo: string | null, hi: string): Promise<Map<string, string>> {
  const { hash, literal, text } = speechOf(source)
  const from = lo === null ? '' : ` and changed_at >= ${literal(lo)}`
  const parts = ['id', 'code', "coalesce(label, '~')", 'amount', "coalesce(note, '~')", 'changed_at'].map((column) =>
    /^(id|amount|changed_at)$/.test(column) ? text(column) : column,
  )
  const rows: Rows = await source.run(
    `select ${text('id')}, ${hash(`concat_ws('|', ${parts.join(', ')})`)} from item where (label is null or (amount < 0 and label <> '${SKIPPED}')) and changed_at < ${literal(hi)}${from}`,
  )
  return new Map(rows as unknown as [string, string][])
}
