import { decodeBlock } from '#dray/block/copy-text.ts'
import { TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { keyPlaces } from '#dray/pipeline/rows/taken-over-key.ts'
import { inGroups } from '#dray/pipeline/texts/key-texts.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { loadRows } from './load-rows.ts'
import { reasonWithoutValues } from './rejected-rows.ts'
import { takeBackRepeats } from './repeated-versions.ts'

interface Run {
  /** False for some rows alone. */
  readonly isWholeRun: boolean
  readonly isReplay: boolean
  /** When the run started, in UTC. */
  readonly at: string
  readonly schema: PlannedSchema | undefined
}

/**
 * Writes the newest rows of keys that several source rows have, in the open transaction of the target. They have
 * landed before, and are counted there.
 */
export async function landNewest(
  pipeline: Pipeline,
  rows: StagedObject,
  { isWholeRun, isReplay, at, schema }: Run,
  { staging, signal }: Services,
): Promise<void> {
  const open = async function* (): AsyncGenerator<Block> {
    yield* (await staging.read(rows, { signal })).blocks
  }
  const { rejected } = await loadRows(pipeline, { open, isWholeRun, isReplay, respell: true, schema, signal })
  const [first] = rejected
  if (first !== undefined) {
    throw new TerminalError(
      `${pipeline.name}: ${rejected.length} rows that share their key with others of this run have landed and were overtaken by older ones, and the target refuses them now (${reasonWithoutValues(first)}), so last_run stays where it is; give the load a version, by which no older row takes the place of a newer one`,
    )
  }
  if (pipeline.load.history?.time !== 'run') return
  const places = keyPlaces(pipeline)
  for await (const block of open()) {
    for (const group of inGroups(decodeBlock(block))) {
      const keys = group.map((texts) => places.map((place) => texts[place] ?? null))
      await takeBackRepeats(pipeline, keys, at, { signal })
    }
  }
}
