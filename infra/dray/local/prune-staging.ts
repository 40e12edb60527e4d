import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { placeOf, roots } from 'dray/internal/staging/keys.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'

const DAY_MS = 24 * 3600 * 1000
/** As in S3. */
const KEEP_MS = 30 * DAY_MS
/** Longer than any handler lives, and so than anybody writes to one file without a pause. */
const PARTIAL_KEEP_MS = 3600 * 1000

/**
 * Removes from the local staging folder what nobody needs any more: batches of runs that have succeeded, half-written
 * files whose process is gone, and whatever is older than thirty days, quarantined rows as well. What a run that is
 * under way works with stays, and so does what `dray resume` would need of one that has failed. In S3 objects expire by
 * themselves. Says how many files went.
 */
export async function pruneStaging(
  staging: StagingStore,
  state: Pick<StateStore, 'run'>,
  now: number = Date.now(),
): Promise<number> {
  if (!(staging instanceof FolderStagingStore)) return 0
  const known = new Map<string, Promise<string | null>>()
  const statusOf = (runId: string) => {
    const status = known.get(runId) ?? state.run(runId).then((detail) => detail?.run.status ?? null)
    known.set(runId, status)
    return status
  }
  return staging.prune(async ({ key, isPartial, writtenAt }) => {
    const age = now - writtenAt
    if (isPartial && age > PARTIAL_KEEP_MS) return false
    const { root, run } = placeOf(key)
    const status = root === roots.runs && run !== null ? await statusOf(run) : null
    if (status === 'running') return true
    return status !== 'success' && age <= KEEP_MS
  })
}
