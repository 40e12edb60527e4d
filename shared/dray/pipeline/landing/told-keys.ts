import { type RawBuilder, sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { CopyBlock, Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock } from '#dray/block/copy-text.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { BORNE_DELETES } from '#dray/pipeline/declare/deletes-option.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { mayBeRespelled } from '#dray/pipeline/rows/taken-over-key.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { bytesOfKey, canonicalKey, columnsOf, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { liveRows } from './gone-keys.ts'
import { hashOf, knownSpellings } from './kept-spellings.ts'
import type { LandedRun } from './ledger.ts'
import { queried } from './queried.ts'
import { storedKeys } from './stored-keys.ts'

type Key = readonly Text[]

/** Deletes, marks or closes the target rows of these keys; says how many. */
type Remove = (keys: readonly Key[], isWanted: RawBuilder<unknown>) => Promise<number>

/** The rows of a target that the source's own rows say are deleted. */
export class ToldKeys {
  readonly #pipeline: Pipeline
  readonly #told: readonly StagedObject[]
  /** The keys that the run has loaded, where rows of the source may share one; else none. */
  readonly #loaded: readonly StagedObject[]
  readonly #schema: PlannedSchema | undefined
  readonly #services: Services

  constructor(
    pipeline: Pipeline,
    { told, loadedKeys }: Pick<LandedRun, 'told' | 'loadedKeys'>,
    schema: PlannedSchema | undefined,
    services: Services,
  ) {
    this.#pipeline = pipeline
    this.#told = told
    this.#loaded = schema?.isKeyDeclaredAlone ? loadedKeys : []
    this.#schema = schema
    this.#services = services
  }

  /** Has them removed, group by group. Throws `Terminal` where the target does not say that it was done. */
  async removeEach(remove: Remove): Promise<number> {
    const { name, load } = this.#pipeline
    const { definition } = load.target
    let removed = 0
    for await (const keys of this.#groups()) {
      const isWanted = await this.#condition(keys)
      const rows = await this.#count(isWanted)
      if (rows === 0) continue
      const done = await remove(keys, isWanted)
      if (done !== rows || (await this.#count(isWanted)) !== 0) {
        throw new TerminalError(
          `${name}: the source says of ${rows} rows of ${definition.database}.${definition.table} that they are deleted, and ${done} were, so none was; look for another writer, a trigger, a rule or a policy`,
        )
      }
      removed += rows
    }
    return removed
  }

  /** Throws `DataQuality` when they are more than the pipeline bears. */
  async guard(): Promise<void> {
    const { name, deletes, load } = this.#pipeline
    const { definition } = load.target
    if (deletes.by !== 'row' || deletes.most >= 1) return
    let told = 0
    for await (const keys of this.#groups()) told += await this.#count(await this.#condition(keys))
    const live = liveRows(this.#pipeline, await load.target.database.adapter())
    const rows = await this.#count(live ?? sql`1 = 1`)
    const most = Math.max(BORNE_DELETES, Math.floor(rows * deletes.most))
    if (told <= most) return
    throw new DataQualityError(
      '',
      'deletes_threshold',
      `${name}: the source says of ${told} of ${rows} rows of ${definition.database}.${definition.table} that they are deleted, and at most ${most} may be, so none was and last_run stays where it is; look at the source, or raise deletes: { …, most } when that is right`,
    )
  }

  /** As the target writes them. */
  async *blocks(): AsyncGenerator<CopyBlock> {
    const encoder = new BlockEncoder()
    for await (const keys of this.#groups()) {
      for (const key of keys) {
        const full = encoder.push(key)
        if (full !== null) yield full
      }
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }

  async *#groups(): AsyncGenerator<readonly Key[]> {
    const { staging, signal } = this.#services
    const isSpelled = mayBeRespelled(this.#pipeline)
    const loaded = await this.#keysLoaded()
    for (const object of this.#told) {
      const { blocks }: { blocks: AsyncIterable<Block> } = await staging.read(object, { signal })
      for await (const block of blocks) {
        for (const group of inGroups(decodeBlock(block))) {
          const chosen = loaded.size === 0 ? group : group.filter((key) => !loaded.has(keyOf(key)))
          const keys = isSpelled && chosen.length > 0 ? await this.#own(chosen) : chosen
          if (keys.length > 0) yield keys
        }
      }
    }
  }

  /** A row that is there stays, though another one of its key says that it is deleted. */
  async #keysLoaded(): Promise<ReadonlySet<string>> {
    const { staging, signal } = this.#services
    const keys = new Set<string>()
    for (const object of this.#loaded) {
      const { blocks }: { blocks: AsyncIterable<Block> } = await staging.read(object, { signal })
      for await (const block of blocks) for (const key of decodeBlock(block)) keys.add(keyOf(key))
    }
    return keys
  }

  /**
   * Of these keys those that the target has from rows that spell them so, as it writes them. One that it has from a row
   * of another spelling, which the source still has, is the key of that row.
   */
  async #own(keys: readonly Key[]): Promise<readonly Key[]> {
    const { extract, load } = this.#pipeline
    const own = columnsOf(extract.source.definition, this.#pipeline.deletes.key)
    const by = columnsOf(load.target.definition, load.goneBy)
    const textOf = (key: Key) => keyOf(canonicalKey(by, key))
    const held = await storedKeys(load.target, by, keys)
    const pairs = keys.flatMap((given, place) =>
      [...new Map(held[place]?.map((key) => [keyOf(key), key])).values()].map((stored) => ({ given, stored })),
    )
    const isKept = (this.#schema?.forgotten ?? null) === null
    const spellings = isKept ? new Map<string, Key>() : await knownSpellings(this.#pipeline, pairs)
    const spelled = pairs.map(({ given, stored }) => {
      const spelling = spellings.get(hashOf(stored)) ?? null
      const isSame = spelling === null ? textOf(stored) === textOf(given) : keyOf(spelling) === keyOf(given)
      return { stored, spelling: spelling ?? stored, isSame }
    })
    const others = spelled.filter(({ isSame }) => !isSame)
    const there =
      others.length === 0
        ? []
        : await storedKeys(
            extract.source,
            own,
            others.map((one) => one.spelling),
          )
    const staying = new Set(
      others.filter(({ spelling }, place) => there[place]?.some((key) => keyOf(key) === keyOf(spelling))),
    )
    return spelled.filter((one) => !staying.has(one)).map(({ stored }) => stored)
  }

  async #condition(keys: readonly Key[]): Promise<RawBuilder<unknown>> {
    const { target, goneBy } = this.#pipeline.load
    const columns = columnsOf(target.definition, goneBy)
    const live = await bytesOfKey(target, columns)
    const adapter = await target.database.adapter()
    const isKey = hasKey(adapter, columns, keys, live)
    const isLive = liveRows(this.#pipeline, adapter)
    return isLive === null ? isKey : sql`${isKey} and ${isLive}`
  }

  async #count(isWanted: RawBuilder<unknown>): Promise<number> {
    const { database, definition } = this.#pipeline.load.target
    const [row] = await queried(database, sql`select count(*) from ${tableName(definition)}${where([isWanted])}`)
    return Number(row?.[0])
  }
}
