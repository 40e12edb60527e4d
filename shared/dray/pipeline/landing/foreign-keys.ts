import type { Database } from '#dray/database/database.ts'
import { tableText } from '#dray/database/table-name.ts'
import { queried } from './queried.ts'

/** A foreign key that refers to a table. */
export interface ForeignKey {
  readonly name: string
  /** The table that has it. */
  readonly table: string
  /** That is the table itself. */
  readonly isOwn: boolean
  /** `no action`, `restrict`, `cascade`, `set null` or `set default`. */
  readonly onDelete: string
  readonly columns: readonly string[]
  /** The columns of the table that these refer to. */
  readonly referred: readonly string[]
}

const ACTING: ReadonlySet<string> = new Set(['cascade', 'set null', 'set default'])

/** Whether a delete changes rows that refer to the row; else it is refused. */
export function isActing({ onDelete }: ForeignKey): boolean {
  return ACTING.has(onDelete)
}

export async function foreignKeysTo(database: Database, table: string): Promise<readonly ForeignKey[]> {
  const { schema } = await database.adapter()
  const rows = await queried(database, schema.foreignKeysTo(table))
  return [...Map.groupBy(rows, ([name, schema, of]) => JSON.stringify([name, schema, of])).values()].map((parts) => {
    const [name, schema = null, of, isOwn, onDelete] = parts[0] ?? []
    return {
      name: name ?? '',
      table: tableText({ schema, name: of ?? '' }),
      isOwn: isOwn === '1',
      onDelete: onDelete ?? '',
      columns: parts.map(([, , , , , column]) => column as string),
      referred: parts.map(([, , , , , , column]) => column as string),
    }
  })
}
