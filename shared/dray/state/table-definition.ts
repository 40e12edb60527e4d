/** The shape of the state table, for whatever creates it. All key attributes are strings. */
export const stateTable = {
  partitionKey: 'pk',
  sortKey: 'sk',
  /** The runs of one workflow by time. */
  byWorkflow: { name: 'by_workflow', partitionKey: 'workflow', sortKey: 'start_time' },
  /** All runs (`run`), or all pipelines (`pipeline`), by time. */
  byKind: { name: 'by_kind', partitionKey: 'kind', sortKey: 'start_time' },
  /** Seconds since 1970; on the items of runs only. */
  timeToLive: 'expires_at',
} as const
