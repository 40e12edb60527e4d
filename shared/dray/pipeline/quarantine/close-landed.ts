import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keepsVersions, loadsTwice } from '#dray/pipeline/plan/rows-again.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import { ageOfKept, compareAges } from '#dray/pipeline/rows/age.ts'
import { isQuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { readJsonLines } from '#dray/staging/documents.ts'
import { passedPrefix, quarantinePrefix } from '#dray/staging/keys.ts'
import type { Services } from '../services.ts'
import { appendToLog, type QuarantineRecord } from './log.ts'
import { type OpenKey, readOpenKeys } from './open-keys.ts'
import { isUnreadable, type PassedLine, type PassedRow, sumOf } from './passed-keys.ts'
import { keyTextOf } from './row-key.ts'
import { wholeLines } from './whole-lines.ts'

/** A version of a row that this run has met. */
type Met = Pick<PassedRow, 'partition' | 'age'>
type OpenEntry = OpenKey['entries'][number]

/**
 * Closes the entries of the quarantine whose keys this run has loaded or left out, and those whose keys it has
 * quarantined again: the newer entry takes their place. Called before `last_run` moves: no later run reads these rows
 * again where this one dies behind it. Whatever cannot be read leaves entries open.
 */
export async function closeLanded(
  pipeline: Pipeline,
  input: CommitInput,
  planned: Plan,
  services: Services,
): Promise<void> {
  if (planned.open === undefined) return
  try {
    const records = await closings(pipeline, input, planned, services)
    if (records.length === 0) return
    await appendToLog(services.staging, pipeline.name, records)
    services.log.info('closed in the quarantine', { pipeline: pipeline.name, rows: records.length })
  } catch (error) {
    if (!isUnreadable(error)) throw error
    services.log.warn(`${(error as Error).message} Rows in the quarantine stay open though their keys may have landed.`)
  }
}

async function closings(
  pipeline: Pipeline,
  input: CommitInput,
  planned: Plan,
  services: Services,
): Promise<QuarantineRecord[]> {
  if (planned.open === undefined) return []
  const keys = await readOpenKeys(planned.open, services)
  const again = await quarantinedAgain(pipeline, input, keys, services)
  const passed = await passedRows(pipeline, input, services)
  const closed = { by: input.run.id, at: new Date(services.now()).toISOString() }
  const records: QuarantineRecord[] = []
  for (const [key, entries] of keys) {
    const isAgain = again.has(key)
    const rows: readonly (Met & Partial<PassedRow>)[] = (isAgain ? again : passed).get(key) ?? []
    for (const entry of entries) {
      const row = rows.find((row) => replaces(pipeline, planned, row, entry))
      if (row !== undefined) records.push({ id: entry.id, ...outcomeOf(isAgain, row), ...closed })
    }
  }
  return records
}

function outcomeOf(isAgain: boolean, { outcome }: Partial<PassedRow>): Pick<QuarantineRecord, 'action' | 'reason'> {
  if (isAgain) return { action: 'superseded', reason: 'a later run has quarantined the same row' }
  if (outcome === 'filtered') return { action: 'landed', reason: 'the transform leaves its row out now' }
  if (outcome === 'deleted') return { action: 'landed', reason: 'its row is deleted now' }
  return { action: 'landed', reason: 'a row of its key has landed' }
}

/** Whether a row that was met is the entry's own version, or a newer one. */
function replaces(pipeline: Pipeline, planned: Plan, { age, partition }: Met, entry: OpenEntry): boolean {
  const isKnown = age !== '' && entry.age !== ''
  // Each version is a row there, and only the entry's own one is the row that was missing.
  if (loadsTwice(pipeline) || (isKnown && keepsVersions(pipeline))) return isKnown && age === entry.age
  if (isKnown) return compareAges(entry.age, age) <= 0
  // Read from the source after the entry was made; a kept row may be older than it.
  return planned.partitions[partition]?.kept === undefined
}

/** Of the open keys those that this run has quarantined, in whichever attempt. */
async function quarantinedAgain(
  pipeline: Pipeline,
  input: CommitInput,
  open: ReadonlyMap<string, unknown>,
  { staging }: Services,
): Promise<Map<string, Met[]>> {
  const ageOf = ageOfKept(pipeline.extract)
  const again = new Map<string, Met[]>()
  const objects = await staging.list(quarantinePrefix(planningRun(input), pipeline.name))
  for await (const { lines } of wholeLines(staging, objects, {
    kind: 'rows',
    isLine: isQuarantinedRow,
    damaged: null,
  })) {
    for await (const row of lines) {
      const key = keyTextOf(pipeline, row)
      if (key === null || !open.has(key)) continue
      const met = { partition: row.partition, age: ageOf(row.row) }
      again.set(key, [...(again.get(key) ?? []), met])
    }
  }
  return again
}

async function passedRows(
  pipeline: Pipeline,
  input: CommitInput,
  { staging }: Services,
): Promise<Map<string, PassedRow[]>> {
  const passed = new Map<string, PassedRow[]>()
  for (const key of await staging.list(passedPrefix(planningRun(input), pipeline.name))) {
    for await (const line of readJsonLines<PassedLine>(staging, key)) {
      if (line.sum === sumOf(line)) passed.set(line.key, [...(passed.get(line.key) ?? []), line])
    }
  }
  return passed
}
