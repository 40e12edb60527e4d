import { createHash } from 'node:crypto'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { readJsonLines } from '#dray/staging/documents.ts'
import { placeOf, quarantinePrefix, roots } from '#dray/staging/keys.ts'
import type { StagingStore } from '#dray/staging/staging-store.ts'
import { type QuarantineRecord, readLog } from './log.ts'

/** A quarantined row with its id, and what has become of it since. */
export interface KeptRow extends QuarantinedRow {
  /** The same for each attempt of the same run that set the row aside. */
  readonly id: string
  /** Null while the row is open. */
  readonly record: QuarantineRecord | null
}

/** The pipelines that have ever quarantined a row that is still kept. */
export async function quarantinedPipelines(staging: StagingStore): Promise<string[]> {
  const names = (await staging.list(roots.quarantine)).map((key) => placeOf(key).pipeline as string)
  return [...new Set(names)]
}

/**
 * The rows that a pipeline has quarantined, run after run, in the order of the runs. A row that several attempts of a
 * task have set aside comes once.
 */
export async function* quarantinedRows(
  staging: StagingStore,
  pipeline: string,
  options: { readonly run?: string | null | undefined } = {},
): AsyncGenerator<KeptRow> {
  const log = await readLog(staging, pipeline)
  const keys = await staging.list(quarantinePrefix(options.run || null, pipeline))
  const byRun = Map.groupBy(keys, (key) => placeOf(key).run as string)
  for (const [run, keys] of byRun) {
    const seen = new Set<string>()
    for (const key of keys) yield* rowsOf(staging, { pipeline, run, key }, seen, log)
  }
}

async function* rowsOf(
  staging: StagingStore,
  { pipeline, run, key }: { readonly pipeline: string; readonly run: string; readonly key: string },
  seen: Set<string>,
  log: ReadonlyMap<string, QuarantineRecord>,
): AsyncGenerator<KeptRow> {
  const times = new Map<string, number>()
  for await (const row of readJsonLines<QuarantinedRow>(staging, key)) {
    const content = JSON.stringify([pipeline, run, row.partition, row.step, Object.entries(row.row)])
    // A table without a key may hold the same row twice; so may one object, but two objects are two attempts.
    const time = (times.get(content) ?? 0) + 1
    times.set(content, time)
    const id = createHash('sha256').update(`${content} ${time}`).digest('hex').slice(0, 16)
    if (seen.has(id)) continue
    seen.add(id)
    yield { ...row, id, record: log.get(id) ?? null }
  }
}
