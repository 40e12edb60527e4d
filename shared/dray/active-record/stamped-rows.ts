import { sql } from 'kysely'
import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { timestampOf } from './values.ts'

const TAB = 9
const NEW_LINE = 10

/** The database's clock at this statement, in UTC. */
export async function instantNow(connection: Pick<Connection, 'query'>, adapter: Adapter): Promise<string> {
  const { sql: text } = compile(adapter, sql`select ${sql.raw(adapter.now)}`)
  return timestampOf((await connection.query(text)).rows[0]?.[0] ?? '')
}

/** The rows with this text in one of their columns, in place of what they bring. */
export function stampedRows(open: OpenBlocks, place: number, text: string): OpenBlocks {
  const stamp = Buffer.from(text)
  return async function* () {
    for await (const block of open()) yield stampedBlock(block, place, stamp)
  }
}

function stampedBlock({ bytes, rows }: CopyBlock, place: number, stamp: Buffer): CopyBlock {
  const pieces: Buffer[] = []
  let kept = 0
  for (let line = 0; line < bytes.length; ) {
    let begin = line
    for (let field = 0; field < place; field++) begin = bytes.indexOf(TAB, begin) + 1
    const end = bytes.indexOf(NEW_LINE, begin)
    const tab = bytes.subarray(begin, end).indexOf(TAB)
    pieces.push(bytes.subarray(kept, begin), stamp)
    kept = tab < 0 ? end : begin + tab
    line = end + 1
  }
  return { bytes: Buffer.concat([...pieces, bytes.subarray(kept)]), rows }
}
