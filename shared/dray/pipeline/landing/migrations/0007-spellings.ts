import type { OwnTables } from './own-tables.ts'

/**
 * How the source spells keys that the target writes otherwise.
 *
 * Code of before writes none: a key that it has loaded is taken to be spelled as the target writes it.
 */
export async function addSpellings(tables: OwnTables): Promise<void> {
  await tables.create('dray_spelling', {
    columns: {
      pipeline: { kind: 'varchar', length: 100 },
      key_hash: { kind: 'varchar', length: 64 },
      spelling: { kind: 'text' },
    },
    primaryKey: ['pipeline', 'key_hash'],
  })
}
