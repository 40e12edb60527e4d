import { prunable } from 'dray/internal/pipeline/quarantine/prune.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { placeOf, roots } from 'dray/internal/staging/keys.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'

const DAY_MS = 24 * 3600 * 1000
/** As in S3. */
const KEEP_MS = 30 * DAY_MS
/** Longer than any handler lives, and so than anybody writes to one file without a pause. */
const PARTIAL_KEEP_MS = 3600 * 1000

/** What has gone. */
export interface Pruned {
  readonly files: number
  /** Quarantined rows that had been closed. */
  readonly closedRows: number
}

/**
 * Removes from the local staging folder what nobody needs any more: batches of runs that have succeeded, half-written
 * files whose process is gone, and whatever is older than thirty days, but for the quarantine: of that only what was
 * closed thirty days ago, by its log. What a run that is under way works with stays, and so does what `dray resume`
 * would need of one that has failed. In S3 objects expire by themselves, and `dray quarantine prune` removes what is
 * closed.
 */
export async function pruneStaging(
  staging: StagingStore,
  state: Pick<StateStore, 'run'>,
  now: number = Date.now(),
): Promise<Pruned> {
  if (!(staging instanceof FolderStagingStore)) return { files: 0, closedRows: 0 }
  const known = new Map<string, Promise<string | null>>()
  const statusOf = (runId: string) => {
    const status = known.get(runId) ?? state.run(runId).then((detail) => detail?.run.status ?? null)
    known.set(runId, status)
    return status
  }
  const closed = closedBefore(staging, new Date(now - KEEP_MS).toISOString())
  const files = await staging.prune(async ({ key, isPartial, writtenAt }) => {
    const age = now - writtenAt
    if (isPartial && age > PARTIAL_KEEP_MS) return false
    const { root, run, pipeline } = placeOf(key)
    if (!isPartial && (root === roots.quarantine || root === roots.quarantineLog)) {
      return age <= KEEP_MS || !(await closed.of(pipeline ?? '')).has(key)
    }
    const status = root === roots.runs && run !== null ? await statusOf(run) : null
    if (status === 'running') return true
    return status !== 'success' && age <= KEEP_MS
  })
  return { files, closedRows: await closed.rows() }
}

/** What is closed of the quarantines that have files old enough to go. */
function closedBefore(staging: StagingStore, before: string) {
  const known = new Map<string, ReturnType<typeof prunable>>()
  return {
    async of(pipeline: string): Promise<ReadonlySet<string>> {
      const found = known.get(pipeline) ?? prunable(staging, pipeline, before)
      known.set(pipeline, found)
      return new Set((await found).keys)
    },
    async rows(): Promise<number> {
      const all = await Promise.all(known.values())
      return all.reduce((total, { rows }) => total + rows, 0)
    },
  }
}
