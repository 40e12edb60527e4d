/** Where an item lies in the table. */
export interface ItemKey {
  readonly pk: string
  readonly sk: string
}

export const STEP = 'STEP#'
export const PARTITION = 'PART#'
export const LINEAGE = 'LINEAGE#'
export const META = 'META'

export function pipelineKey(pipeline: string): ItemKey {
  return { pk: `PIPELINE#${pipeline}`, sk: 'STATE' }
}

export function slotKey(workflow: string): ItemKey {
  return { pk: `WORKFLOW#${workflow}`, sk: 'SLOT' }
}

export function runKey(run: string): ItemKey {
  return { pk: `RUN#${run}`, sk: META }
}

export function stepKey(run: string, step: string): ItemKey {
  return { pk: `RUN#${run}`, sk: `${STEP}${step}` }
}

/** Numbers are padded, so that items sort as partitions do. */
export function partitionKey(run: string, pipeline: string, partition: number): ItemKey {
  return { pk: `RUN#${run}`, sk: `${PARTITION}${pipeline}#${String(partition).padStart(6, '0')}` }
}

export function lineageKey(run: string, event: string): ItemKey {
  return { pk: `RUN#${run}`, sk: `${LINEAGE}${event}` }
}
