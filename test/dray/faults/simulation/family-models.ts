import { replicate } from 'dray/internal/pipeline/declare/replica.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { SimulatedDatabase } from './memory-adapter.ts'
import { afterwards, PIPELINE } from './models.ts'

export const source = new SimulatedDatabase('family-source')
export const target = new SimulatedDatabase('family-target')

/** A table of a family, as its source declares it. */
export interface FamilyTable {
  readonly name: string
  /** Without its name. */
  readonly declaration: string
  readonly hasKey: boolean
  readonly deletions: boolean
}

const COLUMNS = '"id" bigint not null, "label" varchar(20), "changed_at" timestamptz not null'
const KEY = ', primary key ("id")'

/** By a cursor, with deletes; whole; replaced, since it has no key; one that is made later, and one that goes. */
export const TABLES: readonly FamilyTable[] = [
  { name: 'sale', declaration: `${COLUMNS}${KEY}`, hasKey: true, deletions: true },
  { name: 'part', declaration: `${COLUMNS}${KEY}`, hasKey: true, deletions: false },
  { name: 'line', declaration: COLUMNS, hasKey: false, deletions: true },
  { name: 'later', declaration: `${COLUMNS}${KEY}`, hasKey: true, deletions: false },
  { name: 'passing', declaration: `${COLUMNS}${KEY}`, hasKey: true, deletions: false },
]

/** Tables that are read by the cursor. */
export const BY_CURSOR: readonly string[] = ['sale', 'later']

const most = 1
export const family = replicate(PIPELINE, {
  from: source,
  into: target,
  cursor: 'changed_at',
  overrides: {
    sale: { deletes: 'hard', most, lag: '0s', partitionRows: 2 },
    part: { cursor: false, partitionRows: 3 },
    line: { most },
    later: { lag: '0s' },
    passing: { cursor: false },
  },
})

export const compiled = toStatesLanguage(
  workflow('simulated', { steps: [run(family), run(afterwards, { after: [PIPELINE] })] }),
)
