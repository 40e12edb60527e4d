import { sql } from 'kysely'
import type { KeyColumn } from '../capabilities.ts'
import { tableParts } from '../table-name.ts'
import { affinityOf } from './affinity.ts'

/** A column without a type keeps 1 and '1' apart, and each of them is found by the index of the key. */
export function sameTexts(table: string, key: readonly KeyColumn[]) {
  const isOpen = ({ kind, liveType }: KeyColumn) => kind !== 'binary' && affinityOf(liveType) === 'BLOB'
  if (!key.some(isOpen)) return null
  const pairs = key.map((column) => {
    const [one, other] = [sql.id('one', column.name), sql.id('other', column.name)]
    return { one, other, isOpen: isOpen(column) }
  })
  const from = sql.id(...tableParts(table))
  const alike = pairs.map(({ one, other, isOpen }) =>
    isOpen
      ? sql`${other} in (${one}, cast(${one} as numeric), cast(${one} as text)) and typeof(${one}) <> 'blob' and cast(${other} as text) = cast(${one} as text)`
      : sql`${other} = ${one}`,
  )
  const same = pairs.map(({ one, other }) => sql`${other} is ${one}`)
  const texts = pairs.map(({ one }) => sql`cast(${one} as text)`)
  return sql`select ${sql.join(texts)} from ${from} as one where exists (select 1 from ${from} as other where ${sql.join(alike, sql` and `)} and not (${sql.join(same, sql` and `)})) limit 1`
}
