import type { Mutant } from './mutant.ts'

const TABLES = 'shared/dray/pipeline/stages/tables.ts'
const GATHER = 'shared/dray/pipeline/stages/gather.ts'
const DOUBLED: Mutant['over'] = { duplicates: 0.5 }

/** Bugs in what holds the tables of a replica together. */
export const familyMutants: readonly Mutant[] = [
  {
    bug: 'a replica forgets the table that it found last',
    file: TABLES,
    edits: [['const all = apart.map', 'const all = apart.slice(0, -1).map']],
    family: true,
  },
  {
    bug: 'a replica that has lost a table says that it has succeeded',
    file: GATHER,
    edits: [["status: failed.length === 0 ? 'success'", "status: failed.length >= 0 ? 'success'"]],
    family: true,
  },
  {
    bug: 'a replica does not add up what its tables have read',
    file: GATHER,
    edits: [['...rowCountsBy((name) => sum((step) => step[name])),', '']],
    family: true,
  },
  {
    bug: 'the tables of a replica are found for a run that has ended, which keeps the lease',
    file: TABLES,
    edits: [[/\n {2}await refuseEndedRun\(replica\.name, run\.id, services\)/g, '']],
    family: true,
    over: DOUBLED,
  },
  {
    bug: 'the lease of a table is kept when its execution was lost',
    file: GATHER,
    edits: [['for (const { step } of failed) await state.releaseLease(step, run.id)', '']],
    family: true,
    over: DOUBLED,
  },
]
