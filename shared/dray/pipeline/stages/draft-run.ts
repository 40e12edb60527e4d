import type { ReadingMode } from '#dray/messages/run-mode.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { draftBackfill } from '#dray/pipeline/plan/backfill.ts'
import type { Draft } from '#dray/pipeline/plan/draft.ts'
import { draftKeys } from '#dray/pipeline/plan/keys.ts'
import { draftUsual } from '#dray/pipeline/plan/usual-run.ts'
import { draftReplay } from '#dray/pipeline/quarantine/replay.ts'
import type { Services } from '../services.ts'

/** Works out what a run in this mode reads, and changes nothing but staging. */
export function draftRun(
  pipeline: Pipeline,
  mode: ReadingMode | null,
  run: { readonly id: string; readonly lastRun: string | null },
  services: Services,
): Promise<Draft> {
  if (mode === null) return draftUsual(pipeline, run.lastRun, services)
  if ('backfill' in mode) return draftBackfill(pipeline, mode.backfill, services)
  if ('keys' in mode) return draftKeys(pipeline, mode.keys, services)
  return draftReplay(pipeline, mode.replay, run.id, services)
}
