import { sql } from 'kysely'
import { readColumn, tableName, where } from '#dray/active-record/sql.ts'
import type { Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import { compile } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { ReplayMode } from '#dray/messages/run-mode.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Draft, Replayed } from '#dray/pipeline/plan/draft.ts'
import { type Partition, WHOLE } from '#dray/pipeline/plan/partitions.ts'
import { keepsVersions, loadsTwice } from '#dray/pipeline/plan/rows-again.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { keysOfPartition, stageKeys } from '#dray/pipeline/plan/staged-keys.ts'
import { rangeCondition } from '#dray/pipeline/plan/window.ts'
import { ageOfKept } from '#dray/pipeline/rows/age.ts'
import { byColumn } from '#dray/pipeline/rows/quarantined-row.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { readJsonLines, writeJsonLines } from '#dray/staging/documents.ts'
import { keptPrefix, keysPrefix, replayedPrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { DamagedObjects } from './damaged-objects.ts'
import { type KeptRow, quarantinedRows } from './kept-rows.ts'
import { landedBefore, type SentRecord } from './landed-replays.ts'
import { appendToLog, type QuarantineRecord } from './log.ts'
import { inOrder } from './replay-order.ts'
import { damagedFields, keyTextOf, sourceKeyOf } from './row-key.ts'

/**
 * Quarantined rows that go through the current transform and load again. Where the load keeps older versions back (a
 * `version`, or an append, which never overwrites), the kept rows are sent; elsewhere the rows are read again from the
 * source by their key, so that what is written is never older than what is there: the pipeline's lease keeps other runs
 * out meanwhile.
 */
export async function draftReplay(
  pipeline: Pipeline,
  asked: ReplayMode['replay'],
  runId: string,
  services: Services,
): Promise<Draft> {
  const { load } = pipeline
  if (load.kind === 'replace') {
    throw new ConfigurationError(
      `${pipeline.name} replaces its whole table in each run, so single rows cannot be replayed; run it again, which reads them again`,
    )
  }
  const damaged = new DamagedObjects()
  const chosen = await openRows(pipeline, asked, damaged, services)
  const sent = await sendAgain(pipeline, chosen, { runId, named: asked.ids ?? null, before: 0, later: null }, services)
  const staged = await writeJsonLines(services.staging, replayedPrefix(runId, pipeline.name), sent.records)
  return {
    window: null,
    rows: sent.rows,
    partitions: sent.partitions,
    advances: false,
    notes: [sent.note, ...damaged.notes],
    replayed: { records: staged },
  }
}

interface Sending {
  readonly runId: string
  /** The ids that were asked for, if any. */
  readonly named: readonly string[] | null
  /** Partitions of the run that come before these. */
  readonly before: number
  /** Of a usual run, whose window and those after it read some of the keys: up to where they have been read. */
  readonly later: { readonly lastRun: string | null } | null
}

interface Sent {
  readonly rows: number
  readonly partitions: readonly Partition[]
  readonly records: readonly SentRecord[]
  /** A sentence for a person. */
  readonly note: string
}

/** Stages open rows as partitions of a run, with the records of what becomes of them when it has committed. */
export async function sendAgain(
  pipeline: Pipeline,
  chosen: readonly KeptRow[],
  { runId, named, before, later }: Sending,
  services: Services,
): Promise<Sent> {
  const landed = await landedBefore(pipeline, chosen, named, services)
  const open = chosen.filter(({ id }) => !landed.has(id))
  const sorted =
    later === null ? sort(pipeline, open) : await withoutRead(pipeline, sort(pipeline, open), later, services)
  const present = await presentKeys(pipeline, sorted.again, null, services)
  const gone = sorted.again.filter((row) => !present.has(keyText(pipeline, row)))
  const partitions = [
    ...(sorted.asKept.length === 0 ? [] : [await stageRows(pipeline, sorted.asKept, runId, services)]),
    ...(await keyPartitions(pipeline, sorted.again, present, runId, services)),
  ]
  const at = new Date(services.now()).toISOString()
  const records = recordsOf(pipeline, sorted, new Set(gone), { by: runId, at }).map((record) =>
    record.partition === null ? record : { ...record, partition: record.partition + before },
  )
  return {
    rows: sorted.asKept.length + sorted.again.length - gone.length,
    partitions,
    records: [...records, ...landed.values()],
    note: noteOf(pipeline, { chosen: chosen.length, landed: landed.size }, sorted, gone.length),
  }
}

/**
 * The rows without those that the run reads anyway, or the next one: by their keys they are in the window, or behind
 * it. Where a version of a row is a row of the target, what is kept is another one, and stays.
 */
async function withoutRead(
  pipeline: Pipeline,
  sorted: Sorted,
  { lastRun }: { readonly lastRun: string | null },
  services: Services,
): Promise<Sorted> {
  const { asKept, again } = sorted
  const keyed = asKept.filter((row) => keyTextOf(pipeline, row) !== null)
  const there = await presentKeys(pipeline, [...keyed, ...again], null, services)
  const read = await presentKeys(pipeline, [...keyed, ...again], { lastRun }, services)
  const isLater = (row: KeptRow) => there.has(keyText(pipeline, row)) && !read.has(keyText(pipeline, row))
  const isGone = (row: KeptRow) => pipeline.deletes.kind !== 'ignore' && !there.has(keyText(pipeline, row))
  const isRow = (row: KeptRow) => keyTextOf(pipeline, row) === null || loadsTwice(pipeline) || keepsVersions(pipeline)
  return {
    ...sorted,
    asKept: asKept.filter((row) => isRow(row) || !(isLater(row) || isGone(row))),
    again: [...again.filter((row) => !isLater(row)), ...keyed.filter((row) => !isRow(row) && isGone(row))],
  }
}

export async function openRows(
  pipeline: Pipeline,
  asked: ReplayMode['replay'],
  damaged: DamagedObjects,
  { staging }: Services,
): Promise<KeptRow[]> {
  const ids = asked.ids ? new Set(asked.ids) : null
  const rows: KeptRow[] = []
  for await (const row of quarantinedRows(staging, pipeline.name, { run: asked.run, damaged })) {
    if (row.record === null && (ids === null || ids.has(row.id))) rows.push(toHold(pipeline, row))
  }
  if (damaged.logs.length > 0 && loadsTwice(pipeline)) {
    throw new ConfigurationError(
      `${damaged.logs.join(', ')} is damaged, so rows that were loaded before may count as open and would be in the target twice; nothing was replayed. Put a copy of the object back, or give rows that are in the target up by \`dray quarantine discard\` and remove it`,
    )
  }
  return rows
}

/** Rows that are never sent as they were kept may be many: of them the key alone is held. */
function toHold(pipeline: Pipeline, row: KeptRow): KeptRow {
  if (keepsOlderBack(pipeline)) return row
  const key = pipeline.extract.source.definition.primaryKey.map(({ column }) => column)
  const texts = key.map((column): Text => row.row[column] ?? null)
  const damaged = damagedFields(row)
  return { ...row, errors: row.errors.filter(({ field }) => damaged.includes(field)), row: byColumn(key, texts) }
}

/** Whether an older row does no harm to a newer one. */
function keepsOlderBack({ load }: Pipeline): boolean {
  return load.version !== null || load.kind === 'append'
}

interface Sorted {
  /** Sent as they were kept. */
  readonly asKept: readonly KeptRow[]
  /** Read again from the source. */
  readonly again: readonly KeptRow[]
  /** Another run has quarantined the same row later. */
  readonly superseded: readonly KeptRow[]
  /** Without a key they cannot be read again, and without a version they could overwrite what is newer. */
  readonly left: readonly KeptRow[]
}

function sort(pipeline: Pipeline, open: readonly KeptRow[]): Sorted {
  const { definition } = pipeline.extract.source
  const isWhole = (row: KeptRow) =>
    keepsOlderBack(pipeline) &&
    definition.columnNames.every((column) => row.row[column] !== undefined) &&
    damagedFields(row).length === 0
  const newest = new Map<string, KeptRow>()
  const keys = new Map(open.map((row) => [row, keyTextOf(pipeline, row)]))
  const ageOf = ageOfKept(pipeline.extract)
  const same = (row: KeptRow, key: string) => (keepsVersions(pipeline) ? keyOf([key, ageOf(row.row)]) : key)
  for (const [row, key] of keys) if (key !== null) newest.set(same(row, key), row)
  const sorted = { asKept: [] as KeptRow[], again: [] as KeptRow[], superseded: [] as KeptRow[], left: [] as KeptRow[] }
  for (const [row, key] of keys) {
    if (key !== null && newest.get(same(row, key)) !== row) sorted.superseded.push(row)
    else if (isWhole(row)) sorted.asKept.push(row)
    else (key === null ? sorted.left : sorted.again).push(row)
  }
  return { ...sorted, asKept: inOrder(pipeline.extract, sorted.asKept) }
}

function keyTexts(pipeline: Pipeline, row: KeptRow): string[] {
  return sourceKeyOf(pipeline, row) as string[]
}

function keyText(pipeline: Pipeline, row: KeptRow): string {
  return keyOf(keyTexts(pipeline, row))
}

/** The keys that the source still has; of a usual run those alone that are before its window. */
async function presentKeys(
  pipeline: Pipeline,
  rows: readonly KeptRow[],
  before: { readonly lastRun: string | null } | null,
  { signal }: Services,
): Promise<ReadonlySet<string>> {
  const { extract } = pipeline
  const { definition } = extract.source
  const found = new Set<string>()
  if (rows.length === 0 || before?.lastRun === null) return found
  await extract.source.database.withConnection(async (connection, adapter) => {
    const table = await sourceTable(extract, connection, adapter)
    const isBefore = before === null ? [] : [rangeCondition(extract, { lo: null, hi: before.lastRun as string }, table)]
    for (const part of inGroups(rows, keysOfPartition(extract))) {
      const keys = part.map((row) => keyTexts(pipeline, row))
      const { sql: text, parameters } = compile(
        adapter,
        sql`select ${sql.join(definition.primaryKey.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}${where([...ownRows(extract, table), hasKey(adapter, definition.primaryKey, keys, table.columns), ...isBefore])}`,
      )
      for (const key of (await connection.query(text, parameters, { signal })).rows) found.add(keyOf(key))
    }
  })
  return found
}

function keyPartitions(
  pipeline: Pipeline,
  rows: readonly KeptRow[],
  present: ReadonlySet<string>,
  runId: string,
  services: Services,
): Promise<Partition[]> {
  const there = rows.filter((row) => present.has(keyText(pipeline, row)))
  const groups = [...inGroups(there, keysOfPartition(pipeline.extract))].map((part) =>
    part.map((row) => keyTexts(pipeline, row)),
  )
  return stageKeys(groups, keysPrefix(runId, pipeline.name), services)
}

/** The rows as an extract would have staged them. */
async function stageRows(
  pipeline: Pipeline,
  rows: readonly KeptRow[],
  runId: string,
  { staging, signal }: Services,
): Promise<Partition> {
  const columns = pipeline.extract.source.definition.columnNames
  const texts = rows.map(({ row }) => columns.map((column): Text => row[column] ?? null))
  const prefix = keptPrefix(runId, pipeline.name)
  const kept = await staging.write(prefix, { format: 'copy-text', columns }, blocksOf(texts), { signal })
  return { ...WHOLE, kept }
}

function* blocksOf(rows: readonly (readonly Text[])[]): Generator<Block> {
  const encoder = new BlockEncoder()
  for (const row of rows) {
    const full = encoder.push(row)
    if (full !== null) yield full
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

/** The partitions are those of `stageRows` and `keyPartitions`, in this order. */
function recordsOf(
  { extract }: Pipeline,
  sorted: Sorted,
  gone: ReadonlySet<KeptRow>,
  { by, at }: Pick<SentRecord, 'by' | 'at'>,
): SentRecord[] {
  const size = keysOfPartition(extract)
  const record = ({ id }: KeptRow, partition: number | null, reason: string): SentRecord => ({
    id,
    action: 'replayed',
    reason,
    by,
    at,
    partition,
  })
  const { asKept, again, superseded } = sorted
  const first = asKept.length === 0 ? 0 : 1
  const there = again.filter((row) => !gone.has(row))
  return [
    ...asKept.map((row) => record(row, 0, 'the kept row was sent again')),
    ...there.map((row, index) =>
      record(row, first + Math.floor(index / size), 'its row was read again from the source'),
    ),
    ...[...gone].map((row) => record(row, null, 'the source has no row of this key any more')),
    ...superseded.map((row) => record(row, null, 'a later run has quarantined the same row, which was taken instead')),
  ]
}

function noteOf(
  pipeline: Pipeline,
  { chosen, landed }: { readonly chosen: number; readonly landed: number },
  sorted: Sorted,
  gone: number,
): string {
  const notes = [`${chosen} quarantined rows were to be replayed`]
  if (landed > 0)
    notes.push(`${landed} had been loaded by a replay that did not come to its end, and were not sent again`)
  const { asKept, again, superseded, left } = sorted
  if (asKept.length > 0) notes.push(`${asKept.length} were sent as they were kept`)
  if (again.length > gone) notes.push(`${again.length - gone} were read again from the source`)
  if (gone > 0) notes.push(`${gone} are not in the source any more and were not loaded`)
  if (superseded.length > 0) notes.push(`${superseded.length} are older copies of the same rows`)
  if (left.length > 0) {
    notes.push(
      `${left.length} stay in the quarantine: they have no key, so they cannot be read again, and ${pipeline.name} has no version that would keep them from overwriting newer rows`,
    )
  }
  return notes.join('; ')
}

/** Enters in the quarantine's log what the plan has sent; twice, it says the same twice. */
export async function enterReplayed(pipeline: Pipeline, replayed: Replayed, { staging }: Services): Promise<void> {
  if (replayed.records.rows === 0) return
  await appendToLog(staging, pipeline.name, readJsonLines<QuarantineRecord>(staging, replayed.records))
}
