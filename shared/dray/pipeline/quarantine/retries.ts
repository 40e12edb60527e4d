import { ConfigurationError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Draft } from '#dray/pipeline/plan/draft.ts'
import { writeJsonLines } from '#dray/staging/documents.ts'
import { replayedPrefix } from '#dray/staging/keys.ts'
import type { Services } from '../services.ts'
import { DamagedObjects } from './damaged-objects.ts'
import type { KeptRow } from './kept-rows.ts'
import { readLog } from './log.ts'
import { isUnreadable } from './passed-keys.ts'
import { openRows, sendAgain } from './replay.ts'
import { identityOf } from './row-key.ts'

/** Rows of the quarantine that one run tries again; the oldest go first, and the others wait for the next run. */
const MOST_ROWS = 100_000

/** A usual run's draft with the rows of the quarantine that it tries again. */
interface Retrying {
  readonly drafted: Draft
  /** The ids of the entries that it sends. */
  readonly sent: ReadonlySet<string>
}

interface Chosen {
  readonly rows: readonly KeptRow[]
  /** How often runs have sent them before, by their ids. */
  readonly tries: ReadonlyMap<string, number>
  /** Rows that have had their tries. */
  readonly left: number
  readonly notes: readonly string[]
}

/**
 * Adds partitions with the open rows of the quarantine that have tries left. They go as a replay sends them, so a row
 * that a run has loaded which died before it could say so is not sent again. Rows whose keys the run reads anyway, or
 * the next one does, are none of them. What cannot be known of the quarantine leaves its rows where they are.
 */
export async function withRetries(
  pipeline: Pipeline,
  drafted: Draft,
  runId: string,
  services: Services,
): Promise<Retrying> {
  const none = { drafted, sent: new Set<string>() }
  if (pipeline.quarantine.retry === 0 || !drafted.advances) return none
  try {
    const { rows, tries, left, notes } = await chosenRows(pipeline, runId, services)
    const said = [...drafted.notes, ...notes, ...leftNotes(pipeline, left)]
    if (rows.length === 0) return { ...none, drafted: { ...drafted, notes: said } }
    const before = drafted.partitions.length
    // The window begins at `lo`, which an overlap sets back.
    const later = { lastRun: drafted.window?.lo ?? null }
    const again = await sendAgain(pipeline, rows, { runId: runId, named: null, before, later }, services)
    const ofId = new Map(rows.map((row) => [row.id, row]))
    const records = again.records.map((record) => {
      const row = ofId.get(record.id)
      return record.partition === null || row === undefined
        ? record
        : { ...record, tries: (tries.get(record.id) ?? 0) + 1, of: identityOf(pipeline, row) }
    })
    if (records.length === 0) return { ...none, drafted: { ...drafted, notes: said } }
    const staged = await writeJsonLines(services.staging, replayedPrefix(runId, pipeline.name), records)
    const note = again.rows === 0 ? [] : [`${again.rows} rows of the quarantine are tried again`]
    return {
      drafted: {
        ...drafted,
        rows: drafted.rows + again.rows,
        partitions: [...drafted.partitions, ...again.partitions],
        notes: [...said, ...note],
        replayed: { records: staged },
        ...(again.partitions.length === 0 ? {} : { retriedFrom: before }),
      },
      sent: new Set(records.map(({ id }) => id)),
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError || isUnreadable(error))) throw error
    return {
      ...none,
      drafted: { ...drafted, notes: [...drafted.notes, `no row was tried again: ${(error as Error).message}`] },
    }
  }
}

/** What the next usual run would try again, and what has had its tries, in sentences. */
export async function retryNotes(pipeline: Pipeline, services: Services): Promise<string[]> {
  if (pipeline.quarantine.retry === 0) return []
  const { rows, left, notes } = await chosenRows(pipeline, '', services)
  const open = rows.length === 0 ? [] : [`up to ${rows.length} rows of the quarantine would be tried again`]
  return [...notes, ...open, ...leftNotes(pipeline, left)]
}

async function chosenRows(pipeline: Pipeline, runId: string, services: Services): Promise<Chosen> {
  const damaged = new DamagedObjects()
  const open = await openRows(pipeline, {}, damaged, services)
  if (open.length === 0) return { rows: [], tries: new Map(), left: 0, notes: damaged.notes }
  const tried = new Map<string, number>()
  for (const { by, of, tries } of (await readLog(services.staging, pipeline.name, damaged)).values()) {
    if (of !== undefined && tries !== undefined)
      tried.set(`${by} ${of}`, Math.max(tries, tried.get(`${by} ${of}`) ?? 0))
  }
  const tries = new Map(open.map((row) => [row.id, tried.get(`${row.run} ${identityOf(pipeline, row)}`) ?? 0]))
  // What this very run has quarantined is there where its Plan comes twice.
  const own = open.filter(({ run }) => run !== runId)
  const due = own.filter(({ id }) => (tries.get(id) ?? 0) < pipeline.quarantine.retry)
  return { rows: due.slice(0, MOST_ROWS), tries, left: own.length - due.length, notes: damaged.notes }
}

function leftNotes({ name, quarantine: { retry } }: Pipeline, left: number): string[] {
  if (left === 0) return []
  return [
    `${left} rows of the quarantine have been tried by ${retry} runs and are left there; mend them or the transform, and send them by \`dray quarantine replay ${name}\``,
  ]
}
