import type { Fault } from '#dray/database/merge/landing.ts'
import { quote, quoteTable } from '../names.ts'
import type { Merging } from './merging.ts'
import { type DeferredKey, inSchemaOf, nameOf, schemaOf } from './target-table.ts'

/** SQLITE_CONSTRAINT_FOREIGNKEY */
const FOREIGN_KEY = '787'

/** Has rows judged by the deferred foreign keys of their table, and those to it, as soon as they are written. */
export class DeferredKeys {
  readonly #merging: Merging
  readonly #own: readonly DeferredKey[]
  /** Those whose rows may lose what they refer to: the merge writes it. */
  readonly #others: readonly DeferredKey[]
  #lost: number

  constructor(merging: Merging) {
    const { target, live } = merging
    this.#merging = merging
    const isOwn = ({ table }: DeferredKey) => nameOf(table).toLowerCase() === nameOf(target.table).toLowerCase()
    const all = live.isView ? [] : readDeferredKeys(merging)
    const isWritten = (name: string) =>
      target.columns.includes(name) && (!target.key.includes(name) || target.respell === true)
    this.#own = all.filter((key) => isOwn(key) && key.columns.every((name) => target.columns.includes(name)))
    this.#others = all.filter(({ parent, referred }) => {
      return nameOf(parent).toLowerCase() === nameOf(target.table).toLowerCase() && referred.some(isWritten)
    })
    this.#lost = this.#count()
  }

  /** Why rows that were just written would be refused at COMMIT; null where they would not. */
  judge(where: string): Fault | null {
    const { session, sql } = this.#merging
    for (const key of this.#own) {
      const places = session.rows(sql.orphans(where, key)).map(([place]) => Number(place))
      if (places.length > 0) return { ...refused(key), places }
    }
    if (this.#others.length === 0) return null
    const lost = this.#count()
    if (lost > this.#lost) return refused(this.#others[0] as DeferredKey)
    this.#lost = lost
    return null
  }

  /** How many rows refer to none. */
  #count(): number {
    let count = 0
    for (const { table, columns, parent, referred } of this.#others) {
      const given = columns.map((column) => `c.${quote(column)} IS NOT NULL`).join(' AND ')
      const same = columns.map((column, at) => `p.${quote(referred[at] ?? '')} = c.${quote(column)}`).join(' AND ')
      const found = this.#merging.session.rows(
        `SELECT count(*) FROM ${quoteTable(table)} c WHERE ${given} AND NOT EXISTS (SELECT 1 FROM ${quoteTable(parent)} p WHERE ${same})`,
      )
      count += Number(found[0]?.[0])
    }
    return count
  }
}

function refused({ table, columns, parent, referred }: DeferredKey): Fault {
  return {
    code: FOREIGN_KEY,
    column: columns.length === 1 ? (columns[0] as string) : null,
    message: `FOREIGN KEY constraint failed: ${table} (${columns.join(', ')}) would refer to a row of ${parent} (${referred.join(', ')}) that is not there`,
  }
}

/** Of tables that defer some key all keys, of this table and to it: only their text says which are deferred. */
function readDeferredKeys({ session, target: { table } }: Merging): DeferredKey[] {
  const rows = session.rows(
    `SELECT m.name, f.id, f."table", f."from", coalesce(f."to", (SELECT name FROM pragma_table_info(f."table") WHERE pk = f.seq + 1))
     FROM ${schemaOf(table)} m, pragma_foreign_key_list(m.name) f
     WHERE m.type = 'table' AND m.sql LIKE '%DEFERRED%' AND (m.name = ?1 COLLATE NOCASE OR f."table" = ?1 COLLATE NOCASE)
     ORDER BY m.name, f.id, f.seq`,
    [nameOf(table)],
  ) as readonly (readonly string[])[]
  return [...Map.groupBy(rows, ([name, id]) => `${id} ${name}`).values()].map((parts) => {
    const [name = '', , parent = ''] = parts[0] ?? []
    return {
      table: inSchemaOf(table, name),
      columns: parts.map(([, , , column]) => column as string),
      parent: inSchemaOf(table, parent),
      referred: parts.map(([, , , , column]) => column as string),
    }
  })
}
