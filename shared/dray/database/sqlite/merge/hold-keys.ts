import type { StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { OpenBlocks } from '#dray/block/block.ts'
import { decodeBlock } from '#dray/block/copy-text.ts'
import type { HeldKeys, LiveTable, MergeTarget } from '../../adapter.ts'
import { affinityOf, storable } from '../affinity.ts'
import { uniqueKeys } from '../describe.ts'
import { quote, quoteTable } from '../names.ts'
import type { MergeSession } from './session.ts'
import { readTargetTable } from './target-table.ts'

const HELD = 'temp.dray_held'
/** No table of a user's has this name. */
const ALIAS = 'dray_one_held'

interface HeldColumn {
  readonly name: string
  readonly declared: string
  readonly affinity: ReturnType<typeof affinityOf>
  readonly collation: string
}

/** Holds keys in columns of the table's affinities, under the collations of its unique key. */
export async function holdKeys(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  open: OpenBlocks,
): Promise<HeldKeys> {
  const { columns, held } = makeHeld(session, { table, key })
  const insert = session.database.prepare(`INSERT INTO ${HELD} VALUES (${columns.map(() => '?').join(', ')})`)
  for await (const block of open()) {
    session.check()
    for (const texts of decodeBlock(block)) hold(insert, texts, columns)
    await nextTurn()
  }
  return held
}

/** Holds the keys of the rows of a temporary table. */
export function holdSelected(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  from: string,
): HeldKeys {
  const { columns, held } = makeHeld(session, { table, key })
  session.database.exec(`INSERT INTO ${HELD} SELECT ${columns.map(({ name }) => name).join(', ')} FROM ${from}`)
  return held
}

function makeHeld(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
): { readonly columns: readonly HeldColumn[]; readonly held: HeldKeys } {
  const { live } = readTargetTable(session, { table, columns: key, key: [], mode: 'insert' })
  const collations = keyCollations(session, { table, key }, live)
  const columns = key.map((name) => {
    const declared = live.columns.find((column) => column.name === name)?.type ?? ''
    const affinity = affinityOf(declared)
    const collation = collations.get(name)
    return {
      name: quote(name),
      declared,
      affinity,
      collation: collation === undefined ? '' : ` COLLATE ${quote(collation)}`,
    }
  })
  const clauses = columns.map(
    ({ name, affinity, collation }) => `${name} ${affinity === 'BLOB' ? '' : affinity}${collation}`,
  )
  const names = columns.map(({ name }) => name).join(', ')
  session.database.exec(
    `DROP TABLE IF EXISTS ${HELD}; CREATE TEMP TABLE dray_held (${clauses.join(', ')}, UNIQUE (${names}) ON CONFLICT IGNORE)`,
  )
  const same = columns.map(({ name, collation }) => `${quoteTable(table)}.${name}${collation} = ${ALIAS}.${name}`)
  return { columns, held: { isHeld: `EXISTS (SELECT 1 FROM ${HELD} ${ALIAS} WHERE ${same.join(' AND ')})` } }
}

/** By what the texts of a key are compared: the collations of its unique key. */
export function keyCollations(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  live: LiveTable,
): ReadonlyMap<string, string> {
  const rows = (sql: string, parameters: readonly string[]) => session.rows(sql, parameters)
  // A history's key is part of a unique one.
  const unique = uniqueKeys(rows, table, live)
    .filter(({ columns }) => key.every((column) => columns.includes(column)))
    .toSorted((one, other) => one.columns.length - other.columns.length)[0]
  const isText = (name: string) =>
    affinityOf(live.columns.find((column) => column.name === name)?.type ?? '') === 'TEXT'
  const collations = new Map<string, string>()
  for (const column of key) {
    const collation = unique?.collations[unique.columns.indexOf(column)]
    if (collation !== undefined && isText(column)) collations.set(column, collation)
  }
  return collations
}

function hold(insert: StatementSync, texts: readonly (string | null)[], columns: readonly HeldColumn[]): void {
  const values: (string | number | Uint8Array)[] = []
  for (const [place, { affinity, declared }] of columns.entries()) {
    const text = texts[place] ?? null
    // What is refused as a value may be equal to one all the same: then no row of the table is taken for gone.
    if (text === null) return
    values.push(storable(text, affinity, declared).value)
  }
  insert.run(...values)
}
