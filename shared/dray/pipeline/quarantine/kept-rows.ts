import { hash } from 'node:crypto'
import { isQuarantinedRow, type QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { findingsPrefix, placeOf, quarantinePrefix, roots } from '#dray/staging/keys.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'
import type { DamagedObjects } from './damaged-objects.ts'
import { type QuarantineRecord, readLog } from './log.ts'
import { type LinesOf, wholeLines } from './whole-lines.ts'

/** A quarantined row with its id, and what has become of it since. */
export interface KeptRow extends QuarantinedRow {
  /** The same for each attempt of the same run that set the row aside. */
  readonly id: string
  /** Null while the row is open. */
  readonly record: QuarantineRecord | null
}

export interface ReadingOptions {
  /** Of this run alone. */
  readonly run?: string | null | undefined
  /** Collects objects that cannot be read; without it the first of them stops the reading. */
  readonly damaged?: DamagedObjects
}

/** The pipelines that have ever quarantined a row that is still kept. */
export async function quarantinedPipelines(staging: StagingStore): Promise<string[]> {
  return pipelinesUnder(staging, roots.quarantine)
}

/** The pipelines that have loaded rows with findings that are still kept. */
export async function pipelinesWithFindings(staging: StagingStore): Promise<string[]> {
  return pipelinesUnder(staging, roots.findings)
}

async function pipelinesUnder(staging: StagingStore, root: string): Promise<string[]> {
  const names = (await staging.list(root)).map((key) => placeOf(key).pipeline as string)
  return [...new Set(names)]
}

/**
 * The rows that a pipeline has quarantined, run after run, in the order of the runs. A row that several attempts of a
 * task have set aside comes once.
 */
export async function* quarantinedRows(
  staging: StagingStore,
  pipeline: string,
  { run, damaged }: ReadingOptions = {},
): AsyncGenerator<KeptRow> {
  const keys = await staging.list(quarantinePrefix(run || null, pipeline))
  if (keys.length === 0) return
  const log = await readLog(staging, pipeline, damaged)
  yield* keptRows(staging, pipeline, keys, { log, damaged })
}

/** The rows that a pipeline has loaded although something was found wrong in them, run after run. */
export async function* rowsWithFindings(
  staging: StagingStore,
  pipeline: string,
  { run, damaged }: ReadingOptions = {},
): AsyncGenerator<KeptRow> {
  const keys = await staging.list(findingsPrefix(run || null, pipeline))
  yield* keptRows(staging, pipeline, keys, { log: new Map(), damaged })
}

interface Reading {
  readonly log: ReadonlyMap<string, QuarantineRecord>
  readonly damaged: DamagedObjects | undefined
}

async function* keptRows(
  staging: StagingStore,
  pipeline: string,
  keys: readonly string[],
  { log, damaged = undefined }: Reading,
): AsyncGenerator<KeptRow> {
  const objects = wholeLines(staging, keys, { kind: 'rows', isLine: isQuarantinedRow, damaged: damaged ?? null })
  let [seen, seenOf] = [new Set<string>(), '']
  for await (const object of objects) {
    const run = placeOf(object.key).run as string
    if (run !== seenOf) [seen, seenOf] = [new Set(), run]
    for await (const { id, row } of withIds(pipeline, object)) {
      if (seen.has(id)) continue
      seen.add(id)
      yield { ...row, id, record: log.get(id) ?? null }
    }
  }
}

/** The rows of one object with their ids. */
export async function* withIds(
  pipeline: string,
  { key, lines }: LinesOf<QuarantinedRow>,
): AsyncGenerator<{ readonly id: string; readonly row: QuarantinedRow }> {
  const { run } = placeOf(key)
  const times = new Map<string, number>()
  for await (const row of lines) {
    const content = JSON.stringify([pipeline, run, row.partition, row.step, Object.entries(row.row)])
    // A table without a key may hold the same row twice; so may one object, but two objects are two attempts.
    const contentHash = hash('sha256', content)
    const time = (times.get(contentHash) ?? 0) + 1
    times.set(contentHash, time)
    yield { id: hash('sha256', `${content} ${time}`).slice(0, 16), row }
  }
}
