import type { Mutant } from './mutant.ts'

const LEFT_ALONE = 'shared/dray/pipeline/landing/left-alone.ts'
const LEFT: Mutant['over'] = { kind: 'left', initialRows: 10, writers: 4 }
const BESIDE_OTHERS: Mutant['over'] = {
  ...LEFT,
  initialRows: 30,
  writers: 0,
  faults: { rate: 0, pauses: 0.5, fates: ['pause before'] },
  runs: [{ startSeconds: 0, mode: 'usual', endedAfterSeconds: null, machineLost: false }],
}

/** Bugs in what becomes of rows that a load leaves alone. */
export const leftMutants: readonly Mutant[] = [
  {
    bug: 'a row is written whose key others have taken away since it was looked up, or put there',
    file: LEFT_ALONE,
    edits: [['if (written > 0) {', 'if (written < 0) {']],
    over: BESIDE_OTHERS,
  },
  {
    bug: 'no key is looked up where known keys alone are written',
    file: LEFT_ALONE,
    edits: [["if (loading.update !== 'never' && loading.insert)", "if (loading.update !== 'never')"]],
    over: LEFT,
  },
  {
    bug: 'rows that are left alone are counted nowhere',
    file: LEFT_ALONE,
    edits: [['open, leftOut)), left }', 'open, leftOut)), left: 0 }']],
    over: LEFT,
  },
  {
    bug: 'the record of a run knows of no rows that were left alone',
    file: 'shared/dray/pipeline/landing/ledger.ts',
    edits: [['left: sum((entry) => entry.leftAlone ?? 0n)', 'left: 0']],
    over: LEFT,
  },
]
