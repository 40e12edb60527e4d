import type { Database } from 'dray/internal/active-record/database.ts'
import { type Replica, replicate } from 'dray/internal/pipeline/declare/replica.ts'

/**
 * Takes over the tables of a family: `sale` by a cursor, with its deletes; `part` whole; `line`, which has no key, by
 * replacing it; `grown`, which gets columns; `passing`, which comes and goes.
 */
export function familyOf(name: string, from: Database, into: Database): Replica {
  return replicate(name, {
    from,
    into,
    tables: ['*', '!item'],
    cursor: 'changed_at',
    overrides: {
      sale: { deletes: 'hard', most: 1, lag: '0s', partitionRows: 40 },
      part: { partitionRows: 30 },
      line: { most: 1 },
      passing: { deletes: 'hard', most: 1 },
    },
  })
}
