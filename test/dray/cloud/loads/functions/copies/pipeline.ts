import { replicate } from 'dray'
import { far } from '#models/far.ts'
import { near } from '#models/near.ts'

/** All tables of a database, on another engine. */
export const copies = replicate('copies', {
  from: far,
  into: near,
  cursor: ['updated_at', 'modified_at'],
  deletes: 'hard',
})
