import { versionGuard } from '#dray/database/merge/version-guard.ts'
import type { MergeTarget } from '../../adapter.ts'
import { quote } from '../names.ts'
import type { Merging } from './merging.ts'
import { isEqualSame, isSpelledFreely } from './target-table.ts'

/** What is asked of a row of the target, `t`, and a row to merge, `s`; and what an update writes. */
export class RowConditions {
  readonly sameKey: string
  /** The key is also stored in the same spelling; null where it can have no other, or may take the new one. */
  readonly sameSpelling: string | null
  /** Null where nothing but the key is written. */
  readonly changes: string | null
  /** The same by columns one by one, where equal values are the same byte by byte. */
  readonly changesByColumn: string | null
  readonly assignments: readonly string[]

  constructor({ target, table }: Merging) {
    const { key, columns, ignore = [], counter, respell = false } = target
    const free = table.columns.filter((column) => key.includes(column.name) && isSpelledFreely(column))
    const respelled = respell ? free.map(({ name }) => name) : []
    const written = columns.filter((column) => !key.includes(column) || respelled.includes(column))
    const compared = written.filter((column) => !ignore.includes(column))
    const sameWhenEqual = new Set(table.columns.filter(isEqualSame).map(({ name }) => name))
    this.sameKey = key.map((column) => `t.${quote(column)} = s.${quote(column)}`).join(' AND ')
    this.sameSpelling =
      respell || free.length === 0
        ? null
        : free.map(({ name }) => `${stored('t', name)} = ${stored('s', name)}`).join(' AND ')
    this.changes = changes(compared, new Set(), target)
    this.changesByColumn = changes(compared, sameWhenEqual, target)
    this.assignments = [
      ...written.map((column) => `${quote(column)} = s.${quote(column)}`),
      ...(counter === undefined ? [] : [`${quote(counter)} = t.${quote(counter)} + 1`]),
    ]
  }

  /** A row that is updated; null where none is. */
  get isChanged(): string | null {
    return this.changes === null || this.sameSpelling === null
      ? this.changes
      : `${this.sameSpelling} AND ${this.changes}`
  }

  /** A row that stays as it is: equal, or kept back by its version. */
  get isUnchanged(): string {
    const same = this.changes === null ? 'true' : `(${this.changes}) IS NOT TRUE`
    return this.sameSpelling === null ? same : `${this.sameSpelling} AND ${same}`
  }
}

/** The bytes of a key as they are stored, whatever its collation takes for equal. */
export function stored(alias: string, column: string): string {
  return `${alias}.${quote(column)}::text COLLATE "C"`
}

/**
 * A row that is not older, and differs. Records are compared byte by byte, which takes longer than columns one by one.
 */
function changes(compared: readonly string[], sameWhenEqual: ReadonlySet<string>, target: MergeTarget): string | null {
  if (compared.length === 0) return null
  const others = compared.filter((column) => !sameWhenEqual.has(column)).map(quote)
  const row = (alias: string) => `ROW(${others.map((column) => `${alias}.${column}`).join(', ')})::record`
  const differences = [
    ...compared
      .filter((column) => sameWhenEqual.has(column))
      .map((column) => `t.${quote(column)} IS DISTINCT FROM s.${quote(column)}`),
    ...(others.length === 0 ? [] : [`${row('t')} OPERATOR(pg_catalog.*<>) ${row('s')}`]),
  ]
  const guard = versionGuard(target, { stored: 't', given: 's', quote })
  return `(${differences.join(' OR ')})${guard === null ? '' : ` AND ${guard}`}`
}
