import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { Text } from '#dray/block/block.ts'
import { BlockEncoder, encodeLine } from '#dray/block/copy-text.ts'
import { TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { type CommitInput, planningRun } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { isOrdered, RowOrder, type RowPlace } from '#dray/pipeline/rows/row-order.ts'
import { eachRow, openRows } from '#dray/pipeline/rows/staged-rows.ts'
import { keyPlaces, mayBeRespelled, replacesRows, takenOverKey } from '#dray/pipeline/rows/taken-over-key.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { hashOfText } from '#dray/pipeline/texts/text-hash.ts'
import { newestPrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import type { LandedRun } from './ledger.ts'
import { refusedLines } from './refused-rows.ts'
import { placesOfSameKeys } from './same-keys.ts'

/** Keys whose rows are held in memory at once. */
const KEYS_IN_MEMORY = 100_000

/** Several source rows are one row of the target, and nothing says which of them is the newest. */
export class UnorderedRows extends TerminalError {
  constructor({ name, extract, load }: Pipeline, key: string, consequence: string) {
    const { database, table } = extract.source.definition
    const target = `${load.target.definition.database}.${load.target.definition.table}`
    const dated =
      extract.cursor === null ? 'read the source by changedSince()' : 'name columns as the cursor, not an expression'
    super(
      `${name}: several rows of ${database}.${table} are one row of ${target}, that of ${load.by.join(', ')} ${key}, and nothing says which of them is the newest, so ${consequence}; give the load a version, ${dated}, or have the transform leave all but one of them out (null)`,
    )
  }
}

/** Source rows of several keys, as the source writes them, are one row of the target: one has overwritten the other. */
class SpelledRows extends TerminalError {
  constructor({ name, extract, load }: Pipeline, [one, other]: readonly string[]) {
    const { database, table } = extract.source.definition
    const target = `${load.target.definition.database}.${load.target.definition.table}`
    super(
      `${name}: the rows of ${database}.${table} whose keys are ${one} and ${other} are one row of ${target} (${load.by.join(', ')}), so only the one that came last is there, and last_run stays where it is; give one spelling at the source or in the transform, or leave one of them out (null)`,
    )
  }
}

/** A source row of a key that several have. */
interface SharingRow {
  readonly place: RowPlace
  /** As a line of COPY text. */
  readonly source: string
  /** What the transform makes of it, as a line of COPY text. */
  readonly line: string
  readonly partition: number
}

/** The rows of a key, as far as they were looked at. */
interface KeyRows {
  /** As the first row spells it. */
  readonly key: string
  /** The line of the first row, and the rest of it without the key. */
  readonly first: { readonly line: string; readonly content: string }
  /** The newest one that the target has taken. */
  newest: SharingRow | null
  /** Those that it has refused. */
  readonly refused: SharingRow[]
  /** Another row than the newest may have landed last. */
  isShared: boolean
  differs: boolean
  /** The rows are not all the same in the target. */
  disagree: boolean
  /** The rows write it in several ways. */
  isSpelled: boolean
  /** One of the rows has another key in the source. */
  isMerged: boolean
  /** How rows write it that the target has taken. */
  readonly landed: Set<string>
}

interface Run {
  readonly pipeline: Pipeline
  readonly input: CommitInput
  readonly landed: Pick<LandedRun, 'landedRows' | 'refused' | 'updated' | 'unchanged' | 'duplicate'>
  readonly services: Services
}

/** What Commit makes of keys that several source rows of a run have. */
export interface SharedKeys {
  /**
   * The newest rows that the target has taken, where another one may have landed later; null where there are none.
   */
  readonly newest: StagedObject | null
  /**
   * Of each key the refused rows that are newer than what has landed of it, the newest first, as lines of the source.
   */
  readonly newer: readonly (readonly string[])[]
  /** Refused rows that are older than what has landed of their key, as lines of the source. */
  readonly outdated: ReadonlySet<string>
}

const NOTHING_SHARED: SharedKeys = { newest: null, newer: [], outdated: new Set() }

/**
 * Finds the keys that several source rows of a run have, as the target compares them, and which of their rows counts:
 * the newest, whichever of them has landed last. Null where no row can have the key of another. Throws `Terminal` where
 * nothing says which is the newest.
 */
export async function findSharedKeys(run: Run): Promise<SharedKeys | null> {
  const { pipeline, input, landed, services } = run
  if (!mayShareKeys(pipeline, landed)) return null
  const shared = await placesOfSameKeys(pipeline, landed.landedRows, services)
  if (shared.size === 0) return NOTHING_SHARED
  const refused = await refusedLines({ pipeline, input, refused: landed.refused, services })
  const columns = bulkColumns(pipeline.load.target.definition).map(({ column }) => column)
  const order = new RowOrder(pipeline)
  const newer: (readonly string[])[] = []
  const outdated = new Set<string>()
  const rows = async function* (): AsyncGenerator<Block> {
    const encoder = new BlockEncoder()
    const keys = [...new Set(shared.values())]
    for (let from = 0; from < keys.length; from += KEYS_IN_MEMORY) {
      const group = new Set(keys.slice(from, from + KEYS_IN_MEMORY))
      for (const { newest, refused: others, isShared, differs } of await rowsOfKeys(run, { shared, group, refused })) {
        const isNewer = ({ place }: SharingRow) => newest === null || order.compare(place, newest.place) > 0
        const ranked = others.toSorted((one, other) => order.compare(other.place, one.place))
        const ahead = ranked.filter(isNewer)
        if (ahead.length > 0) newer.push(ahead.map(({ source }) => source))
        for (const row of ranked) if (!isNewer(row)) outdated.add(row.source)
        if (newest === null || !isShared || !differs) continue
        const full = encoder.pushLine(newest.line)
        if (full !== null) yield full
      }
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
  const prefix = newestPrefix(planningRun(input), pipeline.name)
  const { signal } = services
  const staged = await services.staging.write(prefix, { format: 'copy-text', columns }, rows(), { signal })
  return { newest: staged.rows === 0 ? null : staged, newer, outdated }
}

/**
 * Rows that take a number over as their key never share it with each other, nor do rows that have all been
 * inserted: the second one of a key finds the first. A history's may begin another version, in a run that is resumed.
 */
function mayShareKeys(pipeline: Pipeline, landed: Run['landed']): boolean {
  if (!replacesRows(pipeline)) return false
  if (landed.landedRows.every(({ otherKeys }) => otherKeys === 0) && !mayBeRespelled(pipeline)) return false
  const met = landed.updated + landed.unchanged + landed.duplicate + landed.refused.length
  return met > 0 || pipeline.load.history?.time === 'run'
}

interface Wanted {
  readonly shared: ReadonlyMap<number, number>
  /** The keys that are looked at now. */
  readonly group: ReadonlySet<number>
  readonly refused: ReadonlySet<string>
}

/** The rows of these keys, but for those that are different rows of the source. */
async function rowsOfKeys(run: Run, { shared, group, refused }: Wanted): Promise<KeyRows[]> {
  const { pipeline, input, landed, services } = run
  const transformRow = rowTransformer(pipeline, startOf(input.run))
  const note = noting(pipeline)
  const found = new Map<number, KeyRows>()
  const columns = pipeline.extract.source.definition.columnNames
  let at = 0
  for (const [partition, { extracted }] of landed.landedRows.entries()) {
    const rows = { pipeline: pipeline.name, stage: 'Extract', object: extracted, columns } as const
    for await (const block of (await openRows(rows, services, { areBlocksLent: true })).blocks) {
      eachRow(block, (row) => {
        const outcome = transformRow(row)
        if (outcome.kind !== 'loaded') return
        const key = shared.get(at++)
        if (key === undefined || !group.has(key)) return
        const source = encodeLine(row)
        const given = { row, texts: outcome.texts, source, partition, isRefused: refused.has(source) }
        found.set(key, note(found.get(key), given))
      })
    }
  }
  const spelled = [...found.values()].find(({ isMerged, landed: taken }) => !isMerged && taken.size > 1)
  if (spelled !== undefined) throw new SpelledRows(pipeline, [...spelled.landed])
  // Rows of the source that the target takes for one, though each has the key that it has there, stay apart.
  const shares = [...found.values()].filter(({ isSpelled, isMerged }) => isMerged || !isSpelled)
  const first = shares.find(({ disagree }) => disagree)
  if (first !== undefined && !isOrdered(pipeline)) {
    throw new UnorderedRows(
      pipeline,
      first.key,
      'last_run stays where it is, and the one that came last is in the table',
    )
  }
  return shares
}

interface Given {
  readonly row: readonly Text[]
  readonly texts: readonly Text[]
  readonly source: string
  readonly partition: number
  readonly isRefused: boolean
}

/** Makes the function that adds a row to those of its key that are known. */
function noting(pipeline: Pipeline): (known: KeyRows | undefined, given: Given) => KeyRows {
  const places = keyPlaces(pipeline)
  const isTakenOver = takenOverKey(pipeline)
  const order = new RowOrder(pipeline)
  const keyOf = (texts: readonly Text[]) => places.map((place) => texts[place]).join(', ')
  return (known, { row, texts, source, partition, isRefused }) => {
    const line = encodeLine(texts)
    const content = encodeLine(texts.filter((_, place) => !places.includes(place)))
    const rows: KeyRows = known ?? {
      key: keyOf(texts),
      first: { line, content },
      newest: null,
      refused: [],
      isShared: false,
      differs: false,
      disagree: false,
      isSpelled: false,
      isMerged: false,
      landed: new Set(),
    }
    if (content !== rows.first.content) rows.disagree = true
    if (line !== rows.first.line) rows.differs = true
    if (!isTakenOver(row, texts)) rows.isMerged = true
    if (keyOf(texts) !== rows.key) rows.isSpelled = true
    const sharing = { place: order.placeOf(row, texts), source, line, partition }
    if (isRefused) rows.refused.push(sharing)
    else {
      rows.landed.add(keyOf(texts))
      // A partition's rows come in the order of the cursor: of a key the last one has landed. A version goes before.
      if (rows.newest !== null && (pipeline.load.version !== null || partition !== rows.newest.partition))
        rows.isShared = true
      if (rows.newest === null || order.compare(sharing.place, rows.newest.place) >= 0) rows.newest = sharing
    }
    return rows
  }
}

/** A key as a text; null where a part of it is missing, since it is like no other then. */
function keyText(texts: readonly Text[], places: readonly number[]): string | null {
  const key = places.map((place) => texts[place] ?? null)
  if (key.includes(null)) return null
  return key.length === 1 ? (key[0] as string) : JSON.stringify(key)
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
