import type { OpenBlocks } from '#dray/block/block.ts'
import { blockLines } from '#dray/block/block-lines.ts'
import { bisect } from '#dray/database/merge/bisect.ts'
import type { HeldKeys, MergeTarget } from '../../adapter.ts'
import { quote, quoteTable } from '../names.ts'
import { isRowFault } from '../translate.ts'
import { causeOf, type MergeSession } from './session.ts'

/** No table of a user's has this name. */
const ALIAS = 'dray_one_held'

/** Holds keys in columns of the table's types and collations, so that its own comparison finds them. */
export async function holdKeys(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  open: OpenBlocks,
): Promise<HeldKeys> {
  return holdIn(session, { table, key }, async (held, columns) => {
    const copy = `COPY ${held} (${columns}) FROM STDIN`
    if (!(await isTaken(session, copy, bytesOf(open)))) await copyByParts(session, copy, open)
  })
}

/** Holds the keys of the rows of a temporary table. */
export function holdSelected(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  from: string,
): Promise<HeldKeys> {
  return holdIn(session, { table, key }, (held) => fillFrom(session, held, key, from))
}

async function fillFrom(session: MergeSession, held: string, key: readonly string[], from: string): Promise<void> {
  const { rows } = await session.run(
    `SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0`,
    [held],
  )
  const types = new Map(rows as readonly [string, string][])
  const values = key.map((column) => `${quote(column)}::text::${types.get(column)}`)
  await session.run(`INSERT INTO ${held} SELECT ${values.join(', ')} FROM ${from}`)
}

async function holdIn(
  session: MergeSession,
  { table, key }: Pick<MergeTarget, 'table' | 'key'>,
  fill: (held: string, columns: string) => Promise<void>,
): Promise<HeldKeys> {
  const name = session.name('held')
  const held = `pg_temp.${name}`
  const columns = key.map(quote).join(', ')
  await session.run(
    `CREATE TEMPORARY TABLE ${name} ON COMMIT DROP AS SELECT ${columns} FROM ${quoteTable(table)} WITH NO DATA`,
  )
  await fill(held, columns)
  await session.run(`ANALYZE ${held}`)
  const same = key.map((column) => `${ALIAS}.${quote(column)} = ${quoteTable(table)}.${quote(column)}`).join(' AND ')
  return { isHeld: `EXISTS (SELECT 1 FROM ${held} ${ALIAS} WHERE ${same})` }
}

async function* bytesOf(open: OpenBlocks): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of open()) yield bytes
}

/** The keys but those that the columns refuse. */
async function copyByParts(session: MergeSession, copy: string, open: OpenBlocks): Promise<void> {
  for await (const block of open()) {
    const lines = blockLines(block)
    const attempt = async (from: number, to: number) =>
      (await isTaken(session, copy, [lines.bytes(from, to)])) ? null : { error: null, at: null }
    await bisect(lines.count, attempt, () => {})
  }
}

/** Copies under a savepoint; false, with nothing copied, when the server refuses a key. */
async function isTaken(
  session: MergeSession,
  copy: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<boolean> {
  const savepoint = session.name('hold')
  await session.run(`SAVEPOINT ${savepoint}`)
  try {
    await session.copyIn(copy, chunks)
  } catch (error) {
    if (!isRowFault(causeOf(error))) throw error
    await session.run(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`)
    return false
  }
  await session.run(`RELEASE ${savepoint}`)
  return true
}
