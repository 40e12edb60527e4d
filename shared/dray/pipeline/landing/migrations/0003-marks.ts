import { OF_BEFORE } from '../mark.ts'
import type { OwnTables } from './own-tables.ts'

const FENCE = 'dray_fence'

/**
 * The fence says up to where rows have landed, and which table they are in. A row that is there takes its mark from
 * `last_run`, once, at its next Plan. One that code of before makes later has none, as that of a new target: its rows
 * are read again, or refused where they would be there twice.
 */
export async function addMarks(tables: OwnTables): Promise<void> {
  const text = { kind: 'text', nullable: true } as const
  await tables.add(FENCE, 'written_table', text)
  await tables.add(FENCE, 'alone', text)
  if (await tables.has(FENCE, 'mark')) return
  // Last, and named as it should be once each row has it: on MySQL a crash in between keeps what is done.
  await tables.add(FENCE, 'mark_of_before', text)
  await tables.fill(FENCE, 'mark_of_before', OF_BEFORE)
  await tables.rename(FENCE, 'mark_of_before', 'mark')
}
