import assert from 'node:assert/strict'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import type { ValueDatabase } from '#test/contracts/value-databases.ts'
import type { HostileTable, TableColumn } from './hostile-table.ts'
import { isMinded, targetName } from './target-table.ts'

/** A row as its database writes it down: a digest of each value, and how it begins. */
export interface Row {
  readonly ident: number
  readonly rev: number
  /** Null for a version of a history that has ended. */
  readonly isCurrent: boolean
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
  const ended = isTarget && table.way === 'history' ? 'CASE WHEN valid_to IS NULL THEN 1 ELSE 0 END' : '1'
  const rows = await database.rows(
    `SELECT ident, rev, ${ended}, ${texts.flatMap((text) => [database.digest(text), `substr(${text}, 1, 60)`]).join(', ')} FROM ${database.quote(isTarget ? targetName(table) : table.table)} ORDER BY ident, rev`,
  )
  return rows.map(([ident, rev, isCurrent, ...values]) => ({
    ident: Number(ident),
    rev: Number(rev),
    isCurrent: Number(isCurrent) === 1,
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
}

const nameOf = ({ ident, rev }: { ident: number; rev: number }) => `${ident}.${rev}`
const entryOf = ({ row }: QuarantinedRow) => `${row.ident}.${row.rev}`

/** Rows of the source that are neither in the target nor in the quarantine. */
export function unread({ source, target, quarantined }: Judged): readonly Row[] {
  const known = new Set([...target.filter(({ isCurrent }) => isCurrent).map(nameOf), ...quarantined.map(entryOf)])
  return source.filter((row) => !known.has(nameOf(row)))
}

/** What is wrong, as sentences: source = target + quarantine, no row in both, none twice. */
export function faultsOf({ table, source, target, quarantined, lastQuarantined, plain }: Judged): string[] {
  const faults = unread({ table, source, target, quarantined, lastQuarantined, plain }).map(
    (row) => `row ${nameOf(row)} (${row.starts.join(' | ')}) is in neither the target nor the quarantine`,
  )
  const current = target.filter(({ isCurrent }) => isCurrent)
  const kept = new Map(quarantined.map((entry) => [entryOf(entry), entry]))
  const keptLast = new Set(lastQuarantined.map(entryOf))
  const landed = Map.groupBy(current, nameOf)
  for (const row of source) {
    const found = landed.get(nameOf(row)) ?? []
    const entry = kept.get(nameOf(row))
    const said = `row ${nameOf(row)} (${row.starts.join(' | ')})`
    if (found.length > 1) faults.push(`${said} is in the target ${found.length} times`)
    // A full load brings an append the rows again that it has landed, and says so.
    if (found.length > 0 && keptLast.has(nameOf(row)) && table.way !== 'append')
      faults.push(`${said} is in the target and in the quarantine`)
    for (const one of found) {
      if (one.digests.some((digest, index) => digest !== row.digests[index])) {
        faults.push(`${said} became ${one.starts.join(' | ')}`)
      }
    }
    const isPlain = plain.get(row.ident)
    const isRefusable = ['drops', 'raises', 'check'].includes(table.nuisance) && isMinded(row.ident)
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
    const twice = [...Map.groupBy(current, ({ ident }) => ident)].filter(([, rows]) => rows.length > 1)
    for (const [ident, rows] of twice) {
      // A row that was given another key leaves the one that it had, unless deletes are followed.
      if (table.way === 'replace' || (table.deletes && keptLast.size === 0)) {
        faults.push(`row ${ident} is there ${rows.length} times: ${rows.map(nameOf).join(', ')}`)
      }
    }
  }
  const follows = table.way === 'replace' || (table.deletes && table.way !== 'append')
  if (follows && keptLast.size === 0 && quarantined.length === 0) {
    const here = new Set(source.map(nameOf))
    for (const row of current)
      if (!here.has(nameOf(row))) faults.push(`row ${nameOf(row)} is gone from the source and in the target`)
  }
  return faults
}

export function assertFaultless(judged: Judged): void {
  assert.deepEqual(faultsOf(judged), [])
}
