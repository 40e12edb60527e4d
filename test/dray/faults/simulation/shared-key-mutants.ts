import type { PipelineShape } from './models.ts'
import type { Mutant } from './mutant.ts'
import type { Scenario } from './scenario.ts'

const SHARED: Partial<Scenario> = {
  sharedCodes: true,
  missingCursors: 0,
  missingKey: false,
  exact: true,
  sourceStepsBack: null,
  initialRows: 12,
  shape: {
    kind: 'incremental',
    nulls: 'exclude',
    lagSeconds: 0,
    partitionRows: 2,
    concurrency: 2,
    versioned: false,
    load: 'upsert',
    deletes: 'ignore',
    mostDeleted: 1,
  },
}

/** The same, where the target takes two spellings for one key. */
const SPELLED: Partial<Scenario> = { ...SHARED, shape: { ...(SHARED.shape as PipelineShape), table: 'spelled' } }

/** Several source rows of one target row, in several partitions. */
export const sharedKeyMutants: readonly Mutant[] = [
  {
    bug: 'of several rows of a key the one counts that lands last',
    file: 'shared/dray/pipeline/landing/close-target.ts',
    edits: [['newest !== null && !isClosed', 'newest !== null && isClosed']],
    over: SHARED,
  },
  {
    bug: 'a row that the target has refused is taken for the newest of its key',
    file: 'shared/dray/pipeline/landing/shared-keys.ts',
    edits: [['isRefused: refused.has(source)', 'isRefused: refused.size < 0']],
    over: SHARED,
  },
  {
    bug: 'the greater key counts, however old its row is',
    file: 'shared/dray/pipeline/rows/row-order.ts',
    edits: [['if (byAge !== 0) return byAge', 'if (byAge === null) return byAge']],
    over: SHARED,
  },
  {
    bug: 'a refused row is counted as outdated though it is the newest of its key',
    file: 'shared/dray/pipeline/landing/shared-keys.ts',
    edits: [['order.compare(place, newest.place) > 0', 'order.compare(place, newest.place) < 0']],
    over: SHARED,
  },
  {
    bug: 'two rows of a key are not found in two partitions',
    file: 'shared/dray/pipeline/landing/same-keys.ts',
    edits: [['where dray_rows > 1', 'where dray_rows > 2']],
    over: SHARED,
  },
  {
    bug: 'a refused row waits in the quarantine though a newer one of its key has landed',
    file: 'shared/dray/pipeline/landing/second-try.ts',
    edits: [['this.#drop([...shared.outdated]', 'this.#drop([]']],
    over: SHARED,
  },
  {
    bug: 'keys are the same only in the same spelling',
    file: 'shared/dray/pipeline/landing/same-keys.ts',
    edits: [['columns: key, key }', 'columns: key, key: [] }']],
    over: SPELLED,
  },
  {
    bug: 'the newest row of a key is refused for its spelling',
    file: 'shared/dray/pipeline/landing/second-try.ts',
    edits: [['renamed.add(place)', 'renamed.delete(place)']],
    over: SPELLED,
  },
  {
    bug: 'all refused rows of a key are tried at once',
    file: 'shared/dray/pipeline/landing/newer-rows.ts',
    edits: [['this.#first.set(place, at === 0)', 'this.#first.set(place, at >= 0)']],
    over: SPELLED,
  },
  {
    bug: 'two spellings of one partition are not looked at again',
    file: 'shared/dray/pipeline/stages/load.ts',
    edits: [['!isOneOfSeveral && !isSpelled', '!isOneOfSeveral']],
    over: { ...SPELLED, shape: { ...(SPELLED.shape as PipelineShape), partitionRows: 100 } },
  },
  {
    bug: 'a second Commit takes rows for refused that the first one has landed',
    file: 'shared/dray/pipeline/landing/close-target.ts',
    edits: [
      ['landed.isTriedAgain || isReplaced', 'isReplaced'],
      ['!isClosed && !known.isTriedAgain', '!isClosed'],
    ],
    over: SPELLED,
  },
]
