import type { ReadingMode } from '#dray/messages/run-mode.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { ageOfKept } from '#dray/pipeline/rows/age.ts'
import { readJsonLines, writeJsonLines } from '#dray/staging/documents.ts'
import { openKeysPrefix } from '#dray/staging/keys.ts'
import type { Services } from '../services.ts'
import { DamagedObjects } from './damaged-objects.ts'
import { type KeptRow, quarantinedRows } from './kept-rows.ts'
import { keyTextOf } from './row-key.ts'

/** Entries whose keys a run looks out for: each of its transforms holds the keys in memory, about 10 MB. */
const MOST_ENTRIES = 100_000

/** An entry of the quarantine that is open when a run is planned. */
interface OpenEntry {
  readonly id: string
  /** How new its row is; empty where nothing says it. */
  readonly age: string
}

/** The open entries of one key of the source. */
export interface OpenKey {
  readonly key: string
  readonly entries: readonly OpenEntry[]
}

interface Planned {
  /** None where nothing is open. */
  readonly open?: StagedObject
  /** Sentences for a person. */
  readonly notes: readonly string[]
}

/**
 * Stages the keys of the rows that are open in the quarantine, so that the run can close those that it lands. What it
 * sends itself (`sent`, by their ids) it enters anyway. Rows without a whole key are not among them: they are closed by
 * a person, or by a replay.
 */
export async function stageOpenKeys(
  pipeline: Pipeline,
  mode: ReadingMode | null,
  { id: runId, sent }: { readonly id: string; readonly sent: ReadonlySet<string> },
  services: Services,
): Promise<Planned> {
  const { staging, signal } = services
  const isSent = sentBy(mode)
  if (isSent === 'all' || pipeline.extract.source.definition.primaryKey.length === 0) return { notes: [] }
  const damaged = new DamagedObjects()
  const keys = new Map<string, OpenEntry[]>()
  const ageOf = ageOfKept(pipeline.extract)
  let [entries, left] = [0, 0]
  for await (const row of quarantinedRows(staging, pipeline.name, { damaged })) {
    // What this very run has quarantined is there where its Plan comes twice.
    if (row.record !== null || row.run === runId || sent.has(row.id) || isSent(row)) continue
    const key = keyTextOf(pipeline, row)
    if (key === null) continue
    if (entries++ >= MOST_ENTRIES) left += 1
    else keys.set(key, [...(keys.get(key) ?? []), { id: row.id, age: ageOf(row.row) }])
  }
  const notes = left === 0 ? damaged.notes : [...damaged.notes, tooMany(pipeline.name, left)]
  if (keys.size === 0) return { notes }
  const lines = keys.entries().map(([key, entries]): OpenKey => ({ key, entries }))
  return { open: await writeJsonLines(staging, openKeysPrefix(runId, pipeline.name), lines, { signal }), notes }
}

/** Whether a replay sends a row and says itself what has become of it. */
function sentBy(mode: ReadingMode | null): 'all' | ((row: KeptRow) => boolean) {
  if (mode === null || !('replay' in mode)) return () => false
  const { run, ids } = mode.replay
  if (!run && !ids) return 'all'
  const chosen = ids ? new Set(ids) : null
  return (row) => (!run || row.run === run) && (chosen === null || chosen.has(row.id))
}

function tooMany(pipeline: string, left: number): string {
  return `more than ${MOST_ENTRIES} rows are open in the quarantine, so ${left} of them stay open even if this run loads their keys; \`dray quarantine replay ${pipeline}\` closes them, or \`dray quarantine discard ${pipeline}\``
}

/** The source keys of all rows that wait in the quarantine, and what is to be said of its objects. */
export async function openSourceKeys(
  pipeline: Pipeline,
  { staging }: Pick<Services, 'staging'>,
): Promise<{ readonly keys: ReadonlySet<string>; readonly notes: readonly string[] }> {
  const damaged = new DamagedObjects()
  const keys = new Set<string>()
  for await (const row of quarantinedRows(staging, pipeline.name, { damaged })) {
    const key = row.record === null ? keyTextOf(pipeline, row) : null
    if (key !== null) keys.add(key)
  }
  return { keys, notes: damaged.notes }
}

/** The entries by key. Throws `StagedObjectDamaged`, and `StagedObjectMissing`. */
export async function readOpenKeys(
  open: StagedObject,
  { staging, signal }: Services,
): Promise<Map<string, readonly OpenEntry[]>> {
  const keys = new Map<string, readonly OpenEntry[]>()
  for await (const { key, entries } of readJsonLines<OpenKey>(staging, open, { signal })) keys.set(key, entries)
  return keys
}
