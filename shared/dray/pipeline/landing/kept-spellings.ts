import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { readColumn } from '#dray/active-record/sql.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, linesOf, unescapeField } from '#dray/block/copy-text.ts'
import type { MergeResult, QueryOptions } from '#dray/database/adapter.ts'
import type { Spelling } from '#dray/database/capabilities.ts'
import { landedOtherwise, type Reason } from '#dray/database/merge/spellings.ts'
import { compile } from '#dray/database/statement.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyPlaces } from '#dray/pipeline/rows/taken-over-key.ts'
import { columnsOf, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { ledgerOf } from './ledger.ts'
import { withoutRows, withRefused } from './some-rows.ts'
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
  /** How the target writes the columns of the key. */
  readonly written: readonly Spelling[]
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
  given: Load,
  load: (open: OpenBlocks) => Promise<MergeResult>,
  options: QueryOptions,
): Promise<MergeResult> {
  const { open } = given
  const { refused, changes } = await compared(pipeline, given, options)
  const merged = await withRefused(await load(withoutRows(open, refused)), open, refused)
  for (const { row } of merged.rejected) changes.delete(row)
  await keepSpellings(pipeline, [...changes.values()])
  return merged
}

/** What is kept of a key from now on; null: the target writes it as its row does. */
interface Change {
  readonly keyHash: string
  readonly spelling: Key | null
}

/** By their places, rows whose key the target has from a row that spells it otherwise, and what the others change. */
async function compared(
  pipeline: Pipeline,
  { open, written, respell, knowsAll }: Load,
  options: QueryOptions,
): Promise<{ readonly refused: ReadonlyMap<number, Reason>; readonly changes: Map<number, Change> }> {
  const { target, by } = pipeline.load
  const columns = columnsOf(target.definition, by)
  const table = { table: target.definition.table, key: columns.map(({ column }) => column) }
  const refused = new Map<number, Reason>()
  const changes = new Map<number, Change>()
  const isAnyKept = await hasSpellings(pipeline)
  for await (const all of spelledKeys(pipeline, open, written, options)) {
    const keys = isAnyKept ? all : all.filter(({ given, stored }) => !isSame(given, stored))
    const spellings = isAnyKept ? await knownSpellings(pipeline, keys) : new Map<string, Key>()
    const differing: { readonly place: number; readonly stored: Key; readonly known: Key }[] = []
    for (const { place, given, stored } of keys) {
      const keyHash = hashOf(stored)
      const spelling = spellings.get(keyHash)
      const known = spelling ?? (knowsAll ? stored : given)
      if (!respell && !isSame(known, given)) differing.push({ place, stored, known })
      if (isSame(given, spelling ?? stored)) continue
      changes.set(place, { keyHash, spelling: isSame(given, stored) ? null : given })
    }
    const wanted = differing.map(({ stored }) => stored)
    const there = wanted.length === 0 ? [] : await storedKeys(target, columns, wanted)
    for (const [index, { place, known }] of differing.entries()) {
      if (there[index]?.length !== 0) refused.set(place, landedOtherwise(table, known.join(', ')))
    }
  }
  return { refused, changes }
}

/** Keeps how the rows that have landed spell their keys. */
async function keepSpellings({ name, load }: Pipeline, changes: readonly Change[]): Promise<void> {
  const { Spelling: Kept } = ledgerOf(load.target.database)
  const rows = changes.flatMap(({ keyHash, spelling }) =>
    spelling === null ? [] : [{ pipeline: name, keyHash, spelling: JSON.stringify(spelling) }],
  )
  const outdated = changes.flatMap(({ keyHash, spelling }) => (spelling === null ? [keyHash] : []))
  if (rows.length > 0) await Kept.upsertAll(rows)
  for (const keyHash of inGroups(outdated)) await Kept.where({ pipeline: name, keyHash }).deleteAll()
}

function hasSpellings({ name, load }: Pipeline): Promise<boolean> {
  return ledgerOf(load.target.database).Spelling.where({ pipeline: name }).exists()
}

/** The spellings of keys that are there, by `hashOf` the key; there is none of a key that the target writes so. */
export async function knownSpellings(
  { name, load }: Pipeline,
  keys: readonly Pick<SpelledKey, 'stored'>[],
): Promise<ReadonlyMap<string, Key>> {
  const { Spelling: Kept } = ledgerOf(load.target.database)
  const known = new Map<string, Key>()
  for (const keyHash of inGroups(new Set(keys.map(({ stored }) => hashOf(stored))))) {
    const rows = await Kept.where({ pipeline: name, keyHash }).toArray()
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
  written: readonly Spelling[],
  options: QueryOptions,
): AsyncGenerator<readonly SpelledKey[]> {
  const places = keyPlaces(pipeline)
  const isKnown = written.every((spelling) => spelling === 'uuid' || spelling === 'kept')
  let given: Key[] = []
  let first = 0
  const spelled = async () => {
    const stored = isKnown ? null : await storedAs(pipeline, given, options)
    return given.flatMap((key, row) => {
      const one = stored === null ? writtenAs(written, key) : stored.get(row)
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

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const UUID_DIGITS = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/

/** A key of texts and UUIDs as the target writes it; undefined where it can hold no such UUID. */
function writtenAs(written: readonly Spelling[], key: Key): Key | undefined {
  const stored: Text[] = []
  for (const [place, text] of key.entries()) {
    if (text === null || written[place] === 'kept' || UUID.test(text)) {
      stored.push(text)
      continue
    }
    const digits = UUID_DIGITS.exec(text.toLowerCase().replaceAll(/[-{}]/g, ''))
    if (digits === null) return undefined
    stored.push(digits.slice(1).join('-'))
  }
  return stored
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
