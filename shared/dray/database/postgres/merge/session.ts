import type { Text } from '#dray/block/block.ts'
import type { Bound } from '../../adapter.ts'
import { serverErrorOf } from '../../row-values.ts'
import type { Place } from '../url.ts'

/** What a merge needs of its connection. Errors are translated. */
export interface MergeSession {
  run(
    sql: string,
    parameters?: readonly Bound[],
  ): Promise<{ readonly rows: readonly (readonly Text[])[]; readonly rowCount: number | null }>
  copyIn(sql: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number>
  /** A name that is used nowhere else in the session, quoted. */
  name(purpose: string): string
  inTransaction(): boolean
  readonly place: Place
}

/** The server's error behind one that says a row is at fault; any other as it is. */
export function causeOf(error: unknown): unknown {
  return error instanceof Error && error.name === 'DataQuality' ? serverErrorOf(error) : error
}
