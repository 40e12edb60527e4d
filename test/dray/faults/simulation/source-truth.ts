import type { Text } from 'dray/internal/block/block.ts'
import { canonical } from './memory-table.ts'
import type { Change, Row } from './memory-transaction.ts'
import { DROPPED_LABEL, LABELS, REFUSED } from './models.ts'

/** A row of the source as it was committed; null once it is deleted. */
export interface Version {
  readonly row: Row | null
  /** When it was committed, in milliseconds of the simulation. */
  readonly at: number
}

/** What is to become of a source row: worked out here, without the pipeline. */
export type Fate = 'loaded' | 'filtered' | 'deleted' | 'quarantined' | 'refused' | 'left'

export function fateOf(row: Row, isRepaired: boolean): Fate {
  const label = row.label ?? null
  if (label === LABELS.filtered) return 'filtered'
  if (label === LABELS.erased) return 'deleted'
  if (label === LABELS.rejected) return isRepaired ? 'loaded' : 'quarantined'
  if (label === null || label === LABELS.tooLong || label === LABELS.huge) return 'quarantined'
  return label === REFUSED || label === DROPPED_LABEL ? 'refused' : 'loaded'
}

export function keyOf(row: Row): string {
  return `${row.region ?? 'null'}/${row.id ?? 'null'}`
}

/** What the target may take for the same code. */
export function folded(code: Text | undefined): string {
  return (code ?? '').toLowerCase()
}

/** By cursor, then by key: the order in which the last one of a code wins. */
export function isLater(one: Row, other: Row): boolean {
  if (one.changed_at !== other.changed_at) return (one.changed_at ?? '') > (other.changed_at ?? '')
  if (one.region !== other.region) return Number(one.region) > Number(other.region)
  return Number(one.id) > Number(other.id)
}

/** Whether a row of the target is what the transform makes of a row of the source. */
export function isMadeOf(target: Row, from: Row): boolean {
  return target.label === from.label && target.changed_at === from.changed_at && target.code === from.code
}

export function isSameRow(one: Readonly<Record<string, string | null>>, other: Row): boolean {
  return Object.keys(other).every((column) => canonical(one[column] ?? null) === carried(other[column]))
}

/** What leaves the source of a value. */
function carried(text: Text | undefined): Text | undefined {
  return text === LABELS.huge ? null : text
}

export function shown(row: Row | null | undefined): string {
  return row === undefined || row === null ? 'nothing' : JSON.stringify(row)
}

function seenOf(versions: readonly Version[], since: number): (Row | null)[] {
  const first = versions.filter(({ at }) => at < since).at(-1)?.row ?? null
  return [first, ...versions.filter(({ at }) => at >= since).map(({ row }) => row)]
}

/** Every row that the source has ever committed. */
export class SourceTruth {
  readonly #history = new Map<string, { readonly code: string; readonly versions: Version[] }>()

  record({ before, after }: Change, at: number): void {
    const row = (after ?? before) as Row
    const known = this.#history.get(keyOf(row)) ?? { code: folded(row.code), versions: [] }
    known.versions.push({ row: after, at })
    this.#history.set(keyOf(row), known)
  }

  /** The versions of each row, the oldest first. */
  rows(): (readonly Version[])[] {
    return [...this.#history.values()].map(({ versions }) => versions)
  }

  /** By code, whatever its capitals. */
  byCode(): Map<string, (readonly Version[])[]> {
    const rows = new Map<string, (readonly Version[])[]>()
    for (const { code, versions } of this.#history.values()) rows.set(code, [...(rows.get(code) ?? []), versions])
    return rows
  }

  /** What could be read of a code that only one row has, at any time since: rows, and null where there was none. */
  seenSince(code: string, since: number): (Row | null)[] {
    return seenOf(this.byCode().get(folded(code))?.[0] ?? [], since)
  }

  /** Whether every row of a code was missing at some time since. */
  wasGoneSince(code: string, since: number): boolean {
    const rows = this.byCode().get(folded(code)) ?? []
    return rows.every((versions) => seenOf(versions, since).includes(null))
  }

  /** Whether a row of exactly this code was there all the time since. */
  hadSince(code: string, since: number): boolean {
    const isOfCode = (version: Version | undefined) => version?.row?.code === code
    return (this.byCode().get(folded(code)) ?? []).some(
      (versions) =>
        isOfCode(versions.filter(({ at }) => at < since).at(-1)) &&
        versions.filter(({ at }) => at >= since).every(isOfCode),
    )
  }

  /** How often the source has committed this very content. */
  timesCommitted(content: Row): number {
    const versions = this.byCode().get(folded(content.code))?.flat() ?? []
    return versions.filter(({ row }) => row !== null && isMadeOf(content, row)).length
  }
}
