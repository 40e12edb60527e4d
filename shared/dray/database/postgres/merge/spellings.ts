import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { blockLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import type { MergeTarget, RejectedRow } from '../../adapter.ts'
import type { MergeSession } from './session.ts'
import type { MergeSql } from './sql.ts'

const SPELLING = '"dray_spelling"'
const PLACE = '"dray_place"'

/**
 * The keys of the rows as the input writes them, beside those that the table makes of them: `1` and `01` are one
 * number, `Ann` and `ann` may be one text. They are looked at where a key comes more than once.
 */
export class Spellings {
  readonly #session: MergeSession
  readonly #target: MergeTarget
  readonly #table: string

  constructor(session: MergeSession, target: MergeTarget) {
    this.#session = session
    this.#target = target
    this.#table = `pg_temp.${session.name('spellings')}`
  }

  /** Copies the keys of all rows but those refused before, in the order of the input. */
  async copy(open: OpenBlocks, refused: readonly RejectedRow[] = []): Promise<void> {
    const create = `CREATE TEMPORARY TABLE ${this.#table.replace('pg_temp.', '')} (${SPELLING} text COLLATE "C") ON COMMIT DROP`
    await this.#session.run(create)
    await this.#session.copyIn(`COPY ${this.#table} FROM STDIN`, keysOf(open(), this.#target, refused))
  }

  /** Whether rows (a SELECT with their place among those copied) share a key that they write otherwise. */
  async differ(rows: string, sql: MergeSql): Promise<boolean> {
    const { rows: found } = await this.#session.run(`SELECT EXISTS (${this.#pairs(rows, sql)})`)
    await this.#session.run(`DROP TABLE ${this.#table}`)
    return found[0]?.[0] === 't'
  }

  /** A SELECT of the places of such rows, each with another spelling of its key. */
  #pairs(rows: string, sql: MergeSql): string {
    const key = sql.distinctKey(`p.${PLACE}`)
    return `SELECT ${PLACE}, CASE WHEN ${SPELLING} = one THEN other ELSE one END FROM (
        SELECT p.${PLACE}, ${SPELLING}, min(${SPELLING}) OVER (PARTITION BY ${key}) AS one, max(${SPELLING}) OVER (PARTITION BY ${key}) AS other
        FROM (${rows}) p JOIN (SELECT row_number() OVER (ORDER BY ctid) - 1 AS ${PLACE}, ${SPELLING} FROM ${this.#table}) k
          ON k.${PLACE} = p.${PLACE}) w
      WHERE one <> other`
  }

  async places(rows: string, sql: MergeSql): Promise<readonly { readonly place: number; readonly other: string }[]> {
    const { rows: found } = await this.#session.run(this.#pairs(rows, sql))
    await this.#session.run(`DROP TABLE ${this.#table}`)
    return found.map(([place, other]) => ({ place: Number(place), other: decodeLine(other as string).join(', ') }))
  }
}

/** One field a row: the texts of its key as COPY writes them, with their escapes and tabs, escaped once more. */
async function* keysOf(
  blocks: AsyncIterable<CopyBlock> | Iterable<CopyBlock>,
  { key, columns }: MergeTarget,
  refused: readonly RejectedRow[],
): AsyncGenerator<Buffer> {
  const places = key.map((column) => columns.indexOf(column))
  let row = 0
  let next = 0
  for await (const block of blocks) {
    const lines = blockLines(block)
    const keys: string[] = []
    for (let line = 0; line < lines.count; line++, row++) {
      if (refused[next]?.row === row) {
        next += 1
        continue
      }
      const fields = lines.text(line).split('\t')
      keys.push(places.map((place) => fields[place]?.replaceAll('\\', '\\\\')).join('\\t'), '\n')
    }
    yield Buffer.from(keys.join(''))
  }
}
