import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, linesOf, unescapeField } from '#dray/block/copy-text.ts'
import type { MergeResult, QueryOptions } from '#dray/database/adapter.ts'
import type { Reason } from '#dray/database/merge/spellings.ts'
import { TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { keyPlaces, mayBeRespelled } from '#dray/pipeline/rows/taken-over-key.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { absentKeys, presentKeys } from './held-key-rows.ts'
import { noKey } from './keyless-rows.ts'
import { type LeftOut, withoutRows, withRefused } from './some-rows.ts'
import { compareSpellings } from './spelled-alike.ts'

type Key = readonly Text[]

/** What a load came to, and how many rows it was not to write. */
export interface Landed extends MergeResult {
  readonly left: number
}

interface Options extends QueryOptions {
  /** A row is left alone even where its key is there from one that spells it otherwise. */
  readonly respell: boolean
  /** Of the plan. */
  readonly schema: PlannedSchema | undefined
}

/**
 * Loads the rows whose key is new, or those whose key is there, and leaves the others alone: the target says which they
 * are. A row whose key is there from a row that spells it otherwise is not left alone, but refused.
 */
export async function loadSome(
  pipeline: Pipeline,
  open: OpenBlocks,
  load: (open: OpenBlocks) => Promise<MergeResult>,
  options: Options,
): Promise<Landed> {
  const { name, load: loading } = pipeline
  if (loading.update !== 'never' && loading.insert) return { ...(await load(open)), left: 0 }
  const leftOut = await leftAlone(pipeline, open, options)
  const merged = await load(withoutRows(open, leftOut))
  const written = loading.insert ? merged.updated : merged.inserted
  if (written > 0) {
    throw new TransientError(
      `${name}: another writer has ${loading.insert ? 'inserted' : 'deleted'} ${written} rows of ${loading.target.definition.database}.${loading.target.definition.table} since their keys were looked up, so nothing was written; tried again, they are seen`,
    )
  }
  const left = [...leftOut.values()].filter((reason) => reason === null).length
  return { ...(await withRefused(merged, open, leftOut)), left }
}

/** The places of rows that are not to be written; of a NULL in a key nobody knows which row it would update. */
async function leftAlone(pipeline: Pipeline, open: OpenBlocks, options: Options): Promise<LeftOut> {
  const { target, by, insert } = pipeline.load
  const keys = { columns: columnsOf(target.definition, by), open: () => keyBlocks(pipeline, open) }
  if (!insert) {
    const absent = await absentKeys(target, keys, options)
    return new Map([...absent.map(({ place }) => [place, null] as const), ...(await keyless(pipeline, open))])
  }
  const given = !options.respell && mayBeRespelled(pipeline) ? await keysOf(pipeline, open) : null
  const found = await presentKeys(target, keys, options)
  if (given === null) return new Map(found.map(({ place }) => [place, null]))
  const pairs = found.map(({ place, stored }) => ({ place, given: given[place] as Key, stored }))
  const compared = await compareSpellings(pipeline, keys.columns, pairs, options.schema)
  return new Map(compared.flatMap(({ place, isAlike }) => (isAlike ? [[place, null]] : [])))
}

async function keyless(pipeline: Pipeline, open: OpenBlocks): Promise<Map<number, Reason>> {
  const { target, by } = pipeline.load
  const columns = columnsOf(target.definition, by)
  const found = new Map<number, Reason>()
  if (!columns.some(({ field }) => field.settings.isNullable)) return found
  let place = 0
  for await (const key of keysIn(pipeline, open)) {
    const column = columns[key.indexOf(null)]?.column
    if (column !== undefined) found.set(place, noKey(column, 'no row can be found that it updates'))
    place += 1
  }
  return found
}

async function* keyBlocks(pipeline: Pipeline, open: OpenBlocks): AsyncGenerator<CopyBlock> {
  const encoder = new BlockEncoder()
  for await (const key of keysIn(pipeline, open)) {
    const full = encoder.push(key)
    if (full !== null) yield full
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

async function keysOf(pipeline: Pipeline, open: OpenBlocks): Promise<Key[]> {
  const keys: Key[] = []
  for await (const key of keysIn(pipeline, open)) keys.push(key)
  return keys
}

async function* keysIn(pipeline: Pipeline, open: OpenBlocks): AsyncGenerator<Key> {
  const places = keyPlaces(pipeline)
  for await (const block of open()) {
    for (const line of linesOf(block)) {
      const fields = line.split('\t')
      yield places.map((place) => unescapeField(fields[place] as string))
    }
  }
}
