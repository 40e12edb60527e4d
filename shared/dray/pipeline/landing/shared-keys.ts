import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { Text } from '#dray/block/block.ts'
import { BlockEncoder, encodeLine } from '#dray/block/copy-text.ts'
import { TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { isOrdered, RowOrder, type RowPlace } from '#dray/pipeline/rows/row-order.ts'
import { eachRow, openRows } from '#dray/pipeline/rows/staged-rows.ts'
import { keyPlaces, replacesRows } from '#dray/pipeline/rows/taken-over-key.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { hashOfText } from '#dray/pipeline/texts/text-hash.ts'
import { readJsonLines } from '#dray/staging/documents.ts'
import { newestPrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import type { LandedRows, LandedRun } from './ledger.ts'

/** Keys whose newest rows are held in memory at once. */
const KEYS_IN_MEMORY = 100_000

/** Several source rows are one row of the target, and nothing says which of them is the newest. */
export class UnorderedRows extends TerminalError {
  constructor({ name, extract, load }: Pipeline, key: string, consequence: string) {
    const { database, table } = extract.source.definition
    const target = `${load.target.definition.database}.${load.target.definition.table}`
    super(
      `${name}: several rows of ${database}.${table} are one row of ${target}, that of ${load.by.join(', ')} ${key}, and nothing says which of them is the newest, so ${consequence}; give the load a version, read the source by changedSince(), or have the transform leave all but one of them out (null)`,
    )
  }
}

/** A key as a text; null where a part of it is missing, since it is like no other then. */
function keyText(texts: readonly Text[], places: readonly number[]): string | null {
  const key = places.map((place) => texts[place] ?? null)
  if (key.includes(null)) return null
  return key.length === 1 ? (key[0] as string) : JSON.stringify(key)
}

/** The newest row of a key in a run, as far as the rows were looked at. */
interface Newest {
  place: RowPlace
  line: string
  /** Of the first of its rows. */
  readonly partition: number
  isShared: boolean
  /** Its rows are not all the same in the target. */
  differs: boolean
}

interface Run {
  readonly pipeline: Pipeline
  readonly input: CommitInput
  readonly landed: Pick<LandedRun, 'landedRows' | 'refused'>
  readonly services: Services
}

/**
 * Stages the newest row of each key that several source rows of a run have: whichever of them has landed last, this is
 * the one that counts. Null where there is none. Rows that the target has refused are left out. Throws `Terminal` where
 * nothing says which is the newest.
 */
export async function stageNewest(run: Run): Promise<StagedObject | null> {
  const { pipeline, input, landed, services } = run
  if (!mayShareKeys(pipeline, landed.landedRows)) return null
  const hashes = await sharedHashes(run)
  if (hashes.length === 0) return null
  const refused = await refusedRows(run)
  const columns = bulkColumns(pipeline.load.target.definition).map(({ column }) => column)
  const rows = async function* (): AsyncGenerator<Block> {
    const encoder = new BlockEncoder()
    for (let from = 0; from < hashes.length; from += KEYS_IN_MEMORY) {
      const group = new Set(hashes.slice(from, from + KEYS_IN_MEMORY))
      for (const { line } of await newestOf(run, group, refused)) {
        const full = encoder.pushLine(line)
        if (full !== null) yield full
      }
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
  const prefix = newestPrefix(planningRun(input), pipeline.name)
  const { signal } = services
  const staged = await services.staging.write(prefix, { format: 'copy-text', columns }, rows(), { signal })
  return staged.rows === 0 ? null : staged
}

/** Rows that take their key over from the source never share it with each other. */
function mayShareKeys(pipeline: Pipeline, rows: readonly LandedRows[]): boolean {
  if (!replacesRows(pipeline) || rows.every(({ otherKeys }) => otherKeys === 0)) return false
  return rows.length > 1 || (pipeline.load.version !== null && rows.some(({ duplicate }) => duplicate > 0))
}

/** The hashes that come more than once among those of all keys; a few of them may be of different keys. */
async function sharedHashes({ pipeline, landed, services }: Run): Promise<number[]> {
  const { landedRows } = landed
  const hashes = new Float64Array(landedRows.reduce((sum, { transformed }) => sum + transformed.rows, 0))
  const columns = bulkColumns(pipeline.load.target.definition).map(({ column }) => column)
  const places = keyPlaces(pipeline)
  let count = 0
  for (const { transformed } of landedRows) {
    const rows = { pipeline: pipeline.name, stage: 'Transform', object: transformed, columns } as const
    for await (const block of (await openRows(rows, services, { areBlocksLent: true })).blocks) {
      eachRow(block, (texts) => {
        const key = keyText(texts, places)
        if (key !== null) hashes[count++] = hashOfText(key)
      })
    }
  }
  const sorted = hashes.subarray(0, count).sort()
  const shared: number[] = []
  for (let at = 1; at < count; at++) {
    const hash = sorted[at] as number
    if (hash === sorted[at - 1] && shared.at(-1) !== hash) shared.push(hash)
  }
  return shared
}

/** The source rows that the target has refused: they are tried again, or quarantined. */
async function refusedRows({ pipeline, landed, services }: Run): Promise<ReadonlySet<string>> {
  const columns = pipeline.extract.source.definition.columnNames
  const refused = new Set<string>()
  for (const object of landed.refused) {
    for await (const { row } of readJsonLines<QuarantinedRow>(services.staging, object, { signal: services.signal })) {
      refused.add(encodeLine(columns.map((column) => row[column] ?? null)))
    }
  }
  return refused
}

/** Of each key with one of these hashes the newest row, where several rows share it. */
async function newestOf(run: Run, hashes: ReadonlySet<number>, refused: ReadonlySet<string>): Promise<Newest[]> {
  const { pipeline, input, landed, services } = run
  const transformRow = rowTransformer(pipeline, startOf(input.run))
  const places = keyPlaces(pipeline)
  const order = new RowOrder(pipeline)
  const found = new Map<string, Newest>()
  const columns = pipeline.extract.source.definition.columnNames
  for (const [partition, { extracted }] of landed.landedRows.entries()) {
    const rows = { pipeline: pipeline.name, stage: 'Extract', object: extracted, columns } as const
    for await (const block of (await openRows(rows, services, { areBlocksLent: true })).blocks) {
      eachRow(block, (row) => {
        const outcome = transformRow(row)
        if (outcome.kind !== 'loaded') return
        const key = keyText(outcome.texts, places)
        if (key === null || !hashes.has(hashOfText(key)) || (refused.size > 0 && refused.has(encodeLine(row)))) return
        note(found, key, { place: order.placeOf(row, outcome.texts), texts: outcome.texts, partition }, order, pipeline)
      })
    }
  }
  const shared = [...found].filter(([, { isShared, differs }]) => isShared && differs)
  const [first] = shared
  if (first !== undefined && !isOrdered(pipeline)) {
    throw new UnorderedRows(
      pipeline,
      first[0],
      'last_run stays where it is, and the one that came last is in the table',
    )
  }
  return shared.map(([, newest]) => newest)
}

function note(
  found: Map<string, Newest>,
  key: string,
  row: { readonly place: RowPlace; readonly texts: readonly Text[]; readonly partition: number },
  order: RowOrder,
  { load }: Pipeline,
): void {
  const { place, partition } = row
  const line = encodeLine(row.texts)
  const known = found.get(key)
  if (known === undefined) {
    found.set(key, { place, line, partition, isShared: false, differs: false })
    return
  }
  // A partition's rows come in the order of the cursor: of a key the last one has landed. A version goes before that.
  if (load.version !== null || partition !== known.partition) known.isShared = true
  if (line !== known.line) known.differs = true
  if (order.compare(place, known.place) < 0) return
  known.place = place
  known.line = line
}

/**
 * Throws `Terminal` for rows of a partition that share a key and are not the same, where nothing says which is the
 * newest.
 */
export async function refuseUnordered(
  pipeline: Pipeline,
  transformed: StagedObject,
  services: Services,
): Promise<void> {
  const columns = bulkColumns(pipeline.load.target.definition).map(({ column }) => column)
  const places = keyPlaces(pipeline)
  const rows = { pipeline: pipeline.name, stage: 'Transform', object: transformed, columns } as const
  const rowsByKey = new Map<string, number>()
  let twice: string | null = null
  for await (const block of (await openRows(rows, services, { areBlocksLent: true })).blocks) {
    eachRow(block, (texts) => {
      const key = keyText(texts, places)
      if (key === null) return
      const row = hashOfText(encodeLine(texts))
      const known = rowsByKey.get(key)
      if (known === undefined) rowsByKey.set(key, row)
      else if (known !== row) twice ??= key
    })
  }
  if (twice !== null) throw new UnorderedRows(pipeline, twice, 'nothing of their partition was written')
}
