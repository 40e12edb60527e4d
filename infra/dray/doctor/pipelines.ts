import type { Checked } from 'dray/internal/database/health.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { examinePipeline, type PipelineSurroundings } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'

/** So many pipelines are looked at together: as many as a database has connections here. */
const PIPELINES_AT_ONCE = 2

/** By the name of the pipeline. */
export async function examinePipelines(
  pipelines: readonly Pipeline[],
  surroundings: PipelineSurroundings,
): Promise<ReadonlyMap<string, readonly Checked[]>> {
  const examined = new Map<string, readonly Checked[]>()
  const waiting = [...pipelines]
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      examined.set(next.name, await examinePipeline(next, surroundings))
  }
  await Promise.all(Array.from({ length: PIPELINES_AT_ONCE }, work))
  return examined
}
