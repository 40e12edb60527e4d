import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { readColumn } from '#dray/active-record/sql.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, linesOf, unescapeField } from '#dray/block/copy-text.ts'
import type { MergeResult, QueryOptions, RejectedRow } from '#dray/database/adapter.ts'
import { landedOtherwise, type Reason } from '#dray/database/merge/spellings.ts'
import { compile } from '#dray/database/statement.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyPlaces } from '#dray/pipeline/rows/taken-over-key.ts'
import { columnsOf, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { ledgerOf } from './ledger.ts'
import { storedKeys } from './stored-keys.ts'

type Key = readonly Text[]

/** Rows whose keys are held in the target at once. */
const ROWS_AT_ONCE = 20_000

/** A row's key as it brings it, and as the target writes it. */
interface SpelledKey {
  readonly place: number
  readonly given: Key
  readonly stored: Key
}

interface Load {
  readonly open: OpenBlocks
  /** A row takes the place of one that spells its key otherwise. */
  readonly respell: boolean
  /** Where nothing is known of a key that is there, it is taken to be spelled as the target writes it. */
  readonly knowsAll: boolean
}

/**
 * Loads rows into a target that does not keep how the source spells their keys (a UUID in capitals): what it does not
 * keep stands beside the ledger. A row whose key is there from one that spells it otherwise is refused.
 */
export async function loadKeepingSpellings(
  pipeline: Pipeline,
  { open, respell, knowsAll }: Load,
  load: (open: OpenBlocks) => Promise<MergeResult>,
  options: QueryOptions,
): Promise<MergeResult> {
  const { refused, isAnySpelled } = respell
    ? { refused: new Map<number, Reason>(), isAnySpelled: true }
    : await spelledOtherwise(pipeline, open, knowsAll, options)
  const left = withoutRows(open, refused)
  const merged = await load(left)
  if (isAnySpelled) {
    const rejected = new Set(merged.rejected.map(({ row }) => row))
    await keepSpellings(pipeline, left, rejected, options)
  }
  return withRefused(merged, open, refused)
}

/** The rows whose key the target has from a row that spells it otherwise, by their place. */
async function spelledOtherwise(
  pipeline: Pipeline,
  open: OpenBlocks,
  knowsAll: boolean,
  options: QueryOptions,
): Promise<{ readonly refused: ReadonlyMap<number, Reason>; readonly isAnySpelled: boolean }> {
  const { definition } = pipeline.load.target
  const by = columnsOf(definition, pipeline.load.by)
  const target = { table: definition.table, key: by.map(({ column }) => column) }
  const refused = new Map<number, Reason>()
  let isAnySpelled = false
  for await (const keys of spelledKeys(pipeline, open, options)) {
    const spellings = await knownSpellings(pipeline, keys)
    const differing = keys.flatMap(({ place, given, stored }) => {
      const spelling = spellings.get(hashOf(stored))
      isAnySpelled ||= spelling !== undefined || !isSame(given, stored)
      const known = spelling ?? (knowsAll ? stored : given)
      return isSame(known, given) ? [] : [{ place, stored, known }]
    })
    const there = await storedKeys(
      pipeline.load.target,
      by,
      differing.map(({ stored }) => stored),
    )
    for (const [index, { place, known }] of differing.entries()) {
      if (there[index]?.length !== 0) refused.set(place, landedOtherwise(target, known.join(', ')))
    }
  }
  return { refused, isAnySpelled }
}

/** Keeps how the rows that have landed spell their keys. */
async function keepSpellings(
  pipeline: Pipeline,
  open: OpenBlocks,
  rejected: ReadonlySet<number>,
  options: QueryOptions,
): Promise<void> {
  const { name } = pipeline
  const { Spelling } = ledgerOf(pipeline.load.target.database)
  for await (const keys of spelledKeys(pipeline, open, options)) {
    const landed = keys.filter(({ place }) => !rejected.has(place))
    const spellings = await knownSpellings(pipeline, landed)
    const kept = new Map<string, string>()
    const outdated = new Set<string>()
    for (const { given, stored } of landed) {
      const keyHash = hashOf(stored)
      const spelling = spellings.get(keyHash)
      if (!isSame(given, stored)) {
        if (spelling === undefined || !isSame(given, spelling)) kept.set(keyHash, JSON.stringify(given))
      } else if (spelling !== undefined) outdated.add(keyHash)
    }
    const rows = [...kept].map(([keyHash, spelling]) => ({ pipeline: name, keyHash, spelling }))
    if (rows.length > 0) await Spelling.upsertAll(rows)
    for (const keyHash of inGroups(outdated)) await Spelling.where({ pipeline: name, keyHash }).deleteAll()
  }
}

/** The spellings of keys that are there, by `hashOf` the key; there is none of a key that the target writes so. */
export async function knownSpellings(
  { name, load }: Pipeline,
  keys: readonly Pick<SpelledKey, 'stored'>[],
): Promise<ReadonlyMap<string, Key>> {
  const { Spelling } = ledgerOf(load.target.database)
  const known = new Map<string, Key>()
  for (const keyHash of inGroups(new Set(keys.map(({ stored }) => hashOf(stored))))) {
    const rows = await Spelling.where({ pipeline: name, keyHash }).toArray()
    for (const row of rows) known.set(row.keyHash, JSON.parse(row.spelling) as Key)
  }
  return known
}

/** Of a key as the target writes it. */
export function hashOf(key: Key): string {
  return createHash('sha256').update(JSON.stringify(key)).digest('hex')
}

function isSame(one: Key, other: Key): boolean {
  return one.every((text, place) => text === other[place])
}

/** The keys of all rows but those that the target can't hold, which it refuses by itself. */
async function* spelledKeys(
  pipeline: Pipeline,
  open: OpenBlocks,
  options: QueryOptions,
): AsyncGenerator<readonly SpelledKey[]> {
  const places = keyPlaces(pipeline)
  let given: Key[] = []
  let first = 0
  const spelled = async () => {
    const stored = await storedAs(pipeline, given, options)
    return given.flatMap((key, row) => {
      const one = stored.get(row)
      return one === undefined ? [] : [{ place: first + row, given: key, stored: one }]
    })
  }
  for await (const block of open()) {
    for (const line of linesOf(block)) {
      const fields = line.split('\t')
      given.push(places.map((place) => unescapeField(fields[place] as string)))
    }
    if (given.length < ROWS_AT_ONCE) continue
    yield await spelled()
    first += given.length
    given = []
  }
  if (given.length > 0) yield await spelled()
}

/** Keys as the target writes them, by their place. */
async function storedAs(
  { load: { target, by } }: Pipeline,
  keys: readonly Key[],
  options: QueryOptions,
): Promise<ReadonlyMap<number, Key>> {
  const columns = columnsOf(target.definition, by)
  const names = columns.map(({ column }) => column)
  return target.database.withConnection(async (connection, adapter) => {
    const table = { table: target.definition.table, columns: names, key: names }
    const held = await connection.holdRows(table, () => blocksOf(keys), options)
    const texts = sql.join(columns.map((column) => readColumn(adapter, column)))
    const { sql: text, parameters } = compile(
      adapter,
      sql`select ${sql.raw(held.place)}, ${texts} from ${sql.raw(held.table)}`,
    )
    const { rows } = await connection.query(text, parameters, options)
    await held.release()
    return new Map(rows.map(([place, ...key]) => [held.rowOf(place as string), key]))
  })
}

function* blocksOf(keys: readonly Key[]): Generator<CopyBlock> {
  const encoder = new BlockEncoder()
  for (const key of keys) {
    const full = encoder.push(key)
    if (full !== null) yield full
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

function withoutRows(open: OpenBlocks, refused: ReadonlyMap<number, Reason>): OpenBlocks {
  if (refused.size === 0) return open
  return async function* () {
    const encoder = new BlockEncoder()
    let place = 0
    for await (const block of open()) {
      for (const line of linesOf(block)) {
        const full = refused.has(place++) ? null : encoder.pushLine(line)
        if (full !== null) yield full
      }
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
}

/** What the load came to, whose input left the refused rows out. */
async function withRefused(
  merged: MergeResult,
  open: OpenBlocks,
  refused: ReadonlyMap<number, Reason>,
): Promise<MergeResult> {
  if (refused.size === 0) return merged
  const byPlace = new Map(merged.rejected.map((row) => [row.row, row]))
  const rejected: RejectedRow[] = []
  let row = 0
  let loaded = 0
  for await (const block of open()) {
    for (const line of linesOf(block)) {
      const reason = refused.get(row)
      const one = reason === undefined ? byPlace.get(loaded++) : { line, ...reason }
      if (one !== undefined) rejected.push({ ...one, row })
      row += 1
    }
  }
  return { ...merged, rejected }
}
