import type { Mutant } from './mutant.ts'

const CLOSE_TARGET = 'shared/dray/pipeline/landing/close-target.ts'
const TOLD: Mutant['over'] = { kind: 'told', initialRows: 10, writers: 4 }

/** Bugs in what becomes of rows that say that they are deleted. */
export const toldMutants: readonly Mutant[] = [
  {
    bug: 'rows that say that they are deleted stay',
    file: CLOSE_TARGET,
    edits: [['landed.told.length === 0 ? null : new ToldKeys', 'landed.told.length >= 0 ? null : new ToldKeys']],
    over: TOLD,
  },
  {
    bug: 'rows that say that they are deleted are counted nowhere',
    file: 'shared/dray/pipeline/stages/load.ts',
    edits: [['deleted: input.told?.rows ?? 0', 'deleted: 0']],
    over: TOLD,
  },
  {
    bug: 'an older row in the quarantine is open still when the row has been deleted',
    file: 'shared/dray/pipeline/quarantine/passed-keys.ts',
    edits: [["if (kind === 'quarantined') return", "if (kind === 'quarantined' || kind === 'deleted') return"]],
    over: { ...TOLD, repairedAfterSeconds: 100 },
  },
  {
    bug: 'the first partition alone has rows that say that they are deleted',
    file: 'shared/dray/pipeline/landing/ledger.ts',
    edits: [['told: staged((entry) => entry.told)', 'told: staged((entry) => entry.told).slice(0, 1)']],
    over: TOLD,
  },
]
