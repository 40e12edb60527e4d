import assert from 'node:assert/strict'
import { OTHER_SPELLING } from 'dray/internal/database/adapter.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import type { ValueDatabase } from '#test/contracts/value-databases.ts'
import { type Speech, speechOf } from '#test/contracts/values.ts'
import { type HostileTable, REFUSING, type TableColumn } from './hostile-table.ts'
import { isMinded, targetName } from './target-table.ts'

/** A row as its database writes it down: a digest of each value, and how it begins. */
export interface Row {
  readonly ident: number
  readonly rev: number
  /** False for a version of a history that has ended, and a row that is marked as deleted. */
  readonly isCurrent: boolean
  /** Of a version, as the database writes them. */
  readonly from: string | null
  readonly to: string | null
  readonly digests: readonly (string | null)[]
  readonly starts: readonly (string | null)[]
}

/** Text that a UUID, or a text that is filled up, is the same in. */
function canonical(database: ValueDatabase, { name, kind, from, into }: TableColumn): string {
  const isFilled = /^char\(/i.test(from) || /^char\(/i.test(into)
  const form = kind.form === 'text' && isFilled ? 'padded' : kind.form
  const text = database.canonical(form, database.quote(name))
  if (kind.form === 'padded') return `rtrim(${text})`
  if (kind.form !== 'uuid') return text
  return `replace(replace(replace(${text}, '-', ''), '{', ''), '}', '')`
}

/** All rows of the table, by its database. */
export async function rowsOf(database: ValueDatabase, table: HostileTable, isTarget: boolean): Promise<Row[]> {
  const columns = [...table.keys, ...table.extras]
  const texts = columns.map((column) => canonical(database, column))
  const isHistory = isTarget && table.way === 'history'
  const isSoft = isTarget && table.deletes === 'soft'
  const ended = isHistory || isSoft ? `CASE WHEN ${isHistory ? 'valid_to' : 'gone'} IS NULL THEN 1 ELSE 0 END` : '1'
  const valid = isHistory
    ? `${database.canonical('moment', 'valid_from')}, ${database.canonical('moment', 'valid_to')}`
    : 'NULL, NULL'
  if (table.nuisance === 'parents') texts.push(database.canonical('integer', 'boss'))
  const rows = await database.rows(
    `SELECT ident, rev, ${ended}, ${valid}, ${texts.flatMap((text) => [database.digest(text), `substr(${text}, 1, 60)`]).join(', ')} FROM ${database.quote(isTarget ? targetName(table) : table.table)} ORDER BY ident, rev`,
  )
  return rows.map(([ident, rev, isCurrent, from = null, to = null, ...values]) => ({
    ident: Number(ident),
    rev: Number(rev),
    isCurrent: Number(isCurrent) === 1,
    from,
    to,
    digests: values.filter((_, index) => index % 2 === 0),
    starts: values.filter((_, index) => index % 2 === 1),
  }))
}

export interface Judged {
  readonly table: HostileTable
  readonly source: readonly Row[]
  readonly target: readonly Row[]
  /** Of all runs. */
  readonly quarantined: readonly QuarantinedRow[]
  /** Of the last run. */
  readonly lastQuarantined: readonly QuarantinedRow[]
  readonly plain: ReadonlyMap<number, { readonly keys: boolean; readonly extras: boolean }>
  /** Whether the target takes the key of a row of its own for that of a row of the source. */
  readonly isOneKey: (target: Row, source: Row) => boolean
  /** What has been in the target after any run before: see `nameOf`. */
  readonly landedBefore: ReadonlySet<string>
}

export const nameOf = ({ ident, rev }: { ident: number; rev: number }) => `${ident}.${rev}`
const entryOf = ({ row }: QuarantinedRow) => `${row.ident}.${row.rev}`

/** Rows of the source that are neither in the target nor in the quarantine. */
export function unread({ source, target, quarantined }: Judged): readonly Row[] {
  const known = new Set([...target.filter(({ isCurrent }) => isCurrent).map(nameOf), ...quarantined.map(entryOf)])
  return source.filter((row) => !known.has(nameOf(row)))
}

/** What is wrong, as sentences: source = target + quarantine, no row in both, none twice. */
export function faultsOf(judged: Judged): string[] {
  const { table, source, target, quarantined, lastQuarantined, plain, isOneKey, landedBefore } = judged
  const faults = unread(judged).map(
    (row) => `row ${nameOf(row)} (${row.starts.join(' | ')}) is in neither the target nor the quarantine`,
  )
  const current = target.filter(({ isCurrent }) => isCurrent)
  const kept = new Map(quarantined.map((entry) => [entryOf(entry), entry]))
  const keptLast = new Set(lastQuarantined.map(entryOf))
  const landed = Map.groupBy(current, nameOf)
  const here = new Set(source.map(nameOf))
  const isAllPlain = [...plain.values()].every(({ keys, extras }) => keys && extras)
  for (const row of source) {
    const found = landed.get(nameOf(row)) ?? []
    const entry = kept.get(nameOf(row))
    const said = `row ${nameOf(row)} (${row.starts.join(' | ')})`
    if (found.length > 1) faults.push(`${said} is in the target ${found.length} times`)
    // One that had landed stays as it was, where a row has come that is one with it for the target.
    const isSpelled = landedBefore.has(nameOf(row)) && entry?.errors.some(({ code }) => code === OTHER_SPELLING)
    // A full load brings an append the rows again that it has landed, and says so.
    if (found.length > 0 && keptLast.has(nameOf(row)) && table.way !== 'append' && !isSpelled)
      faults.push(`${said} is in the target and in the quarantine`)
    for (const one of found) {
      if (one.digests.some((digest, index) => digest !== row.digests[index])) {
        faults.push(`${said} became ${one.starts.join(' | ')}`)
      }
    }
    const isPlain = plain.get(row.ident)
    const isMindedHere = REFUSING.has(table.nuisance) && isMinded(row.ident)
    // A row that may not be changed, or is refused since the one that it refers to is, may have been changed before.
    if (isMindedHere && table.nuisance !== 'closes' && found.length > 0) faults.push(`${said} is in the target`)
    const isRefusable = isMindedHere || (table.nuisance === 'parents' && !isAllPlain)
    if (
      entry !== undefined &&
      keptLast.has(nameOf(row)) &&
      isPlain?.keys &&
      isPlain.extras &&
      !isRefusable &&
      table.way !== 'append'
    ) {
      faults.push(
        `${said}, which every type holds, was quarantined: ${entry.errors.map(({ code, message }) => `${code} ${message}`).join('; ')}`,
      )
    }
  }
  for (const entry of quarantined) {
    if (entry.errors.length === 0 || entry.errors.some(({ code, message }) => !code || !message)) {
      faults.push(`row ${entryOf(entry)} is in the quarantine without a reason`)
    }
  }
  if (table.way !== 'append') {
    const missing = source.filter((row) => !landed.has(nameOf(row)))
    // What a row of the source is refused to take the place of stays.
    const isKept = (row: Row) =>
      table.way !== 'replace' && !here.has(nameOf(row)) && missing.some((one) => isOneKey(row, one))
    const twice = [...Map.groupBy(current, ({ ident }) => ident)]
      .map(([ident, rows]) => [ident, rows.filter((row) => !isKept(row))] as const)
      .filter(([, rows]) => rows.length > 1)
    for (const [ident, rows] of twice) {
      // A row that was given another key leaves the one that it had, unless deletes are followed.
      if (table.way === 'replace' || (table.deletes !== 'ignore' && keptLast.size === 0)) {
        faults.push(`row ${ident} is there ${rows.length} times: ${rows.map(nameOf).join(', ')}`)
      }
    }
  }
  const follows = table.way === 'replace' || (table.deletes !== 'ignore' && table.way !== 'append')
  if (follows && keptLast.size === 0 && quarantined.length === 0) {
    for (const row of current)
      if (!here.has(nameOf(row))) faults.push(`row ${nameOf(row)} is gone from the source and in the target`)
  }
  if (table.way === 'history') faults.push(...overlaps(table, target))
  return faults
}

/** Asks the target which rows that it has twice, by their number, have the keys of rows of the source. */
export async function oneKeys(
  { from, into }: { readonly from: ValueDatabase; readonly into: ValueDatabase },
  table: HostileTable,
  rows: { readonly source: readonly Row[]; readonly target: readonly Row[] },
): Promise<Judged['isOneKey']> {
  const current = rows.target.filter(({ isCurrent }) => isCurrent)
  const twice = [...Map.groupBy(current, ({ ident }) => ident).values()].filter(({ length }) => length > 1).flat()
  if (twice.length === 0 || table.way === 'append') return () => false
  const missing = rows.source.filter((row) => !current.some((one) => nameOf(one) === nameOf(row)))
  const speech = speechOf(into.engine)
  const places = table.keys.flatMap(({ kind }, place) => (kind.form === 'text' ? [place] : []))
  const others = table.keys.flatMap(({ kind }, place) => (kind.form === 'text' ? [] : [place]))
  const same = new Set<string>()
  for (const row of missing) {
    const read = places.map((place) => from.canonical('text', from.quote((table.keys[place] as TableColumn).name)))
    const where = `WHERE ident = ${row.ident} AND rev = ${row.rev}`
    const [texts = []] = await from.rows(`SELECT ${['1', ...read].join(', ')} FROM ${from.quote(table.table)} ${where}`)
    const equal = places.map((place, index) => {
      const column = into.quote((table.keys[place] as TableColumn).name)
      return `${column} = ${literal(speech, texts[index + 1] ?? '')}`
    })
    const found = await into
      .rows(`SELECT ident, rev FROM ${into.quote(targetName(table))} WHERE ${['1 = 1', ...equal].join(' AND ')}`)
      // A text that the column's type or character set does not know is the key of no row.
      .catch(() => [])
    const names = new Set(found.map(([ident, rev]) => `${ident}.${rev}`))
    for (const one of twice) {
      const isOne = names.has(nameOf(one)) && others.every((place) => one.digests[place] === row.digests[place])
      if (isOne) same.add(`${nameOf(one)}>${nameOf(row)}`)
    }
  }
  return (one, row) => same.has(`${nameOf(one)}>${nameOf(row)}`)
}

/** A text that is of the type, and of the collation, of what it is compared with. */
function literal(speech: Speech, value: string): string {
  const hex = Buffer.from(value, 'utf8').toString('hex')
  if (speech === 'postgres') return `'${value.replaceAll("'", "''")}'`
  return speech === 'mysql' ? `_utf8mb4 X'${hex}'` : `CAST(X'${hex}' AS TEXT)`
}

/** Versions of a key that do not follow one another. */
function overlaps({ keys }: HostileTable, target: readonly Row[]): string[] {
  // Texts that are one UUID are several keys in a column of text.
  if (keys.some(({ kind, into }) => kind.form === 'uuid' && into !== 'uuid')) return []
  // So are texts that differ in blanks at the end, where the column does not fill them up.
  if (keys.some(({ kind, into }) => kind.form === 'padded' && !into.startsWith('char('))) return []
  const versions = Map.groupBy(target, ({ digests }) => digests.slice(0, keys.length).join())
  return [...versions.values()].flatMap((own) => {
    const sorted = own.toSorted((one, other) => ((one.from ?? '') < (other.from ?? '') ? -1 : 1))
    return sorted.flatMap((version, index) => {
      const next = sorted[index + 1]
      const isForward = version.to === null || (version.from ?? '') <= version.to
      const isFollowed = next === undefined || (version.to !== null && version.to <= (next.from ?? ''))
      return isForward && isFollowed
        ? []
        : [`version ${nameOf(version)} of ${version.from} to ${version.to} overlaps with that of ${next?.from}`]
    })
  })
}

export function assertFaultless(judged: Judged): void {
  assert.deepEqual(faultsOf(judged), [])
}
