import { replicate } from 'dray'
import { lake } from '#models/lake.ts'
import { music } from '#models/music.ts'

/** All tables of a database, of which `album` is a step of its own. */
export const copied = replicate('copied', {
  from: music,
  into: lake,
  name: ({ name }) => `raw.${name}`,
  deletes: 'soft',
})
