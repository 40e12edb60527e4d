import type { ListedTable } from 'dray/internal/database/catalogue.ts'
import { tableNameOf, tableText } from 'dray/internal/database/table-name.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'

/** What the command line names: a table of a database, or a pattern of several. */
export interface Asked {
  readonly database: string
  readonly table: string
}

/** Takes `sales.invoice`, `sales.billing.invoice`, `sales.*` apart. Throws `Configuration`. */
export function askedOf(text: string): Asked {
  const [, database, table] = /^([a-z][a-z0-9-]*)\.(.+)$/s.exec(text) ?? []
  if (database !== undefined && table !== undefined) return { database, table }
  throw new ConfigurationError(
    `${text} names no table, so nothing was written; write <database>.<table>, as sales.orders, or sales.'*' for all of its tables.`,
  )
}

/** The tables of a list that are meant: a pattern's, or the one of the name, whatever its capitals. */
export function tablesMeant({ database, table }: Asked, listed: readonly ListedTable[]): string[] {
  const names = listed.map((one) => one.table)
  if (table.includes('*')) return matching(table, listed, database)
  const name = tableText(tableNameOf(table))
  if (names.includes(name)) return [name]
  const alike = names.filter((one) => one.toLowerCase() === name.toLowerCase())
  if (alike.length === 1) return alike
  // A name with its schema in front may be one that the connection finds without.
  const { schema } = tableNameOf(name)
  if (schema !== null) return [name]
  const near = names.filter((one) => isNear(one, name)).slice(0, 5)
  const others = near.length > 0 ? ` Is it ${near.join(' or ')}?` : ` \`npx dray add\` lists those that it has.`
  throw new ConfigurationError(
    `${database} has no table ${name}, or its user may not see it, so nothing was written.${others}`,
  )
}

/** `*` stands for any part of a table's name, and before a dot for one of its schema's. */
function matching(pattern: string, listed: readonly ListedTable[], database: string): string[] {
  const parts = pattern.split('.').map((part) => {
    const literals = part.split('*').map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    return new RegExp(`^${literals.join('.*')}$`, 'is')
  })
  const [ofSchema, ofName] = parts.length === 1 ? [null, parts[0]] : parts
  const isMeant = ({ table }: ListedTable) => {
    const { schema, name } = tableNameOf(table)
    const isOfSchema = schema === null ? ofSchema === null : (ofSchema?.test(schema) ?? false)
    return isOfSchema && (ofName?.test(name) ?? false)
  }
  const found = parts.length > 2 ? [] : listed.filter(isMeant).map(({ table }) => table)
  if (found.length > 0) return found
  throw new ConfigurationError(
    `${database} has no table that is named like ${pattern}, so nothing was written; \`npx dray add\` lists those that it has.`,
  )
}

/** One is the better part of the other, but for capitals, underlines and an s at the end. */
function isNear(one: string, other: string): boolean {
  const [short, long] = [one, other]
    .map((name) =>
      name
        .toLowerCase()
        .replace(/[^\p{L}\p{N}]/gu, '')
        .replace(/s$/, ''),
    )
    .sort((left, right) => left.length - right.length) as [string, string]
  return short.length * 2 >= long.length && long.includes(short)
}
