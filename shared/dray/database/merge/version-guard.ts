import type { MergeTarget } from '../adapter.ts'

interface GuardSql {
  readonly stored: string
  readonly given: string
  quote(name: string): string
}

/** A condition: the version of the stored row does not keep the given one back. Null where nothing does. */
export function versionGuard(
  { version, mark }: Pick<MergeTarget, 'version' | 'mark'>,
  { stored, given, quote }: GuardSql,
): string | null {
  if (version === undefined) return null
  const name = quote(version)
  const conditions = [`${stored}.${name} IS NULL`, `${given}.${name} >= ${stored}.${name}`]
  if (mark !== undefined) conditions.push(`${stored}.${quote(mark.column)} IS ${mark.isFlag ? 'TRUE' : 'NOT NULL'}`)
  return `(${conditions.join(' OR ')})`
}
