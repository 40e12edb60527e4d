import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'

/** What this machine, or an environment, keeps of its runs. */
export interface Stores {
  readonly state: StateStore
  readonly staging: StagingStore
}
