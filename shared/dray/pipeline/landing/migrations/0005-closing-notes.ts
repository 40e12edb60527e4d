import type { OwnTables } from './own-tables.ts'

/**
 * What a Commit has to say of what it did to the target, for another delivery of it.
 *
 * Code of before writes none, and its Commit says nothing of it: what it reads and writes stays as it is.
 */
export async function addClosingNotes(tables: OwnTables): Promise<void> {
  await tables.add('dray_closing', 'notes', { kind: 'text', nullable: true })
}
