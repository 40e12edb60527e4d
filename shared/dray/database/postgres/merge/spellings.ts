import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { blockLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import type { MergeTarget, RejectedRow } from '../../adapter.ts'
import { quote } from '../names.ts'
import type { MergeSession } from './session.ts'
import type { MergeSql } from './sql.ts'

const SPELLING = '"dray_spelling"'
/** The place of a row among those that COPY took. */
export const PLACE = '"dray$place"'

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
    const create = `CREATE TEMPORARY TABLE ${this.#table.replace('pg_temp.', '')} (${PLACE} bigint, ${SPELLING} text COLLATE "C") ON COMMIT DROP`
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
    const key = sql.distinctKey(PLACE)
    const columns = this.#target.key.map(quote).join(', ')
    return `WITH p AS MATERIALIZED (SELECT ${PLACE}, ${columns} FROM (${rows}) r), w AS MATERIALIZED (
        SELECT array_agg(${PLACE}) AS places FROM p GROUP BY ${key} HAVING count(*) > 1),
      k AS MATERIALIZED (
        SELECT g.*, ${SPELLING} FROM (SELECT places[1] AS first, unnest(places) AS ${PLACE} FROM w) g JOIN ${this.#table} USING (${PLACE})),
      o AS (SELECT first, min(${SPELLING}) AS one, max(${SPELLING}) AS other FROM k GROUP BY first)
      SELECT ${PLACE}, CASE WHEN ${SPELLING} = one THEN other ELSE one END FROM k JOIN o USING (first) WHERE one <> other`
  }

  async places(rows: string, sql: MergeSql): Promise<readonly { readonly place: number; readonly other: string }[]> {
    const { rows: found } = await this.#session.run(this.#pairs(rows, sql))
    await this.#session.run(`DROP TABLE ${this.#table}`)
    return found.map(([place, other]) => ({ place: Number(place), other: decodeLine(other as string).join(', ') }))
  }
}

/** Of each row its place, and the texts of its key as COPY writes them, with their escapes and tabs, escaped again. */
async function* keysOf(
  blocks: AsyncIterable<CopyBlock> | Iterable<CopyBlock>,
  { key, columns }: MergeTarget,
  refused: readonly RejectedRow[],
): AsyncGenerator<Buffer> {
  const places = key.map((column) => columns.indexOf(column))
  let row = 0
  let place = 0
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
      keys.push(`${place}\t${places.map((at) => fields[at]?.replaceAll('\\', '\\\\')).join('\\t')}\n`)
      place += 1
    }
    yield Buffer.from(keys.join(''))
  }
}
