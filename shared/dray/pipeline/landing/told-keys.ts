import { type RawBuilder, sql } from 'kysely'
import { columnName, tableName, where } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { CopyBlock, Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock } from '#dray/block/copy-text.ts'
import type { Database } from '#dray/database/database.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { BORNE_DELETES } from '#dray/pipeline/declare/deletes-option.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { isFlagged } from '#dray/pipeline/rows/flagged-rows.ts'
import { ownedRows } from '#dray/pipeline/rows/owned-rows.ts'
import { mayBeRespelled } from '#dray/pipeline/rows/taken-over-key.ts'
import { WrittenKeys } from '#dray/pipeline/rows/written-keys.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { bytesOfKey, columnsOf, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { chosenRows } from './chosen-rows.ts'
import { liveRows } from './gone-keys.ts'
import { presentKeys } from './held-key-rows.ts'
import type { LandedRun } from './ledger.ts'
import { queried } from './queried.ts'
import { compareSpellings, type GivenKey } from './spelled-alike.ts'
import { storedKeys } from './stored-keys.ts'

type Key = readonly Text[]

/** Deletes, marks or closes the target rows of these keys; says how many. */
type Remove = (keys: readonly Key[], isWanted: RawBuilder<unknown>) => Promise<number>

/** The rows of a target that the source's own rows say are deleted. */
export class ToldKeys {
  readonly #pipeline: Pipeline
  readonly #told: readonly StagedObject[]
  readonly #schema: PlannedSchema | undefined
  readonly #services: Services
  readonly #written: WrittenKeys

  constructor(
    pipeline: Pipeline,
    { told }: Pick<LandedRun, 'told'>,
    schema: PlannedSchema | undefined,
    services: Services,
  ) {
    this.#pipeline = pipeline
    this.#told = told
    this.#schema = schema
    this.#services = services
    this.#written = new WrittenKeys(pipeline)
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
    if (deletes.saidBy !== 'row' || deletes.most >= 1) return
    let told = 0
    for await (const keys of this.#groups()) told += await this.#count(await this.#condition(keys))
    const adapter = await load.target.database.adapter()
    const live = liveRows(this.#pipeline, adapter) ?? sql`1 = 1`
    const rows = await this.#count(sql.join([live, ...ownedRows(this.#pipeline, adapter)], sql` and `))
    const most = Math.max(BORNE_DELETES, Math.floor(rows * deletes.most))
    if (told <= most) return
    throw new DataQualityError(
      '',
      'deletes_threshold',
      `${name}: the source says of ${told} of ${rows} rows of ${definition.database}.${definition.table} that they are deleted, and at most ${most} may be, so none was and last_run stays where it is; look at the source, or raise deletes: { …, most } when that is right`,
    )
  }

  /** As the target writes them, those that it has; all at once, since it answers nothing else while keys are held. */
  async blocks(): Promise<readonly CopyBlock[]> {
    const encoder = new BlockEncoder()
    const blocks: CopyBlock[] = []
    for await (const keys of this.#groups()) {
      for (const key of keys) {
        const full = encoder.push(key)
        if (full !== null) blocks.push(full)
      }
    }
    const rest = encoder.flush()
    return rest === null ? blocks : [...blocks, rest]
  }

  async *#groups(): AsyncGenerator<readonly Key[]> {
    const { staging, signal } = this.#services
    const isSpelled = mayBeRespelled(this.#pipeline)
    for (const object of this.#told) {
      const { blocks }: { blocks: AsyncIterable<Block> } = await staging.read(object, { signal })
      for await (const block of blocks) {
        const keys = isSpelled ? await this.#own(block) : decodeBlock(block).map((key) => ({ given: key, stored: key }))
        for (const group of inGroups(keys)) {
          const stored = group.map((key) => key.stored)
          if (!isSpelled && !(await this.#isAnyThere(stored))) continue
          if (this.#schema?.isKeyDeclaredAlone) await this.#refuseShared(group.map(({ given }) => given))
          yield stored
        }
      }
    }
  }

  /**
   * Throws `Terminal` where the source has another row of such a key, which does not say that it is deleted: its table
   * does not hold to what the model calls its primary key.
   */
  async #refuseShared(keys: readonly Key[]): Promise<void> {
    const { name, extract, load } = this.#pipeline
    const { source } = extract
    const own = columnsOf(source.definition, this.#pipeline.deletes.key)
    if (!(await this.#isAnyOfSeveral(own, keys))) return
    const several = await this.#ofSeveral(keys, 1, null)
    if (several.length === 0) return
    const flagged = isFlagged(this.#pipeline)?.(await source.database.adapter()) ?? null
    const unsaid = flagged === null ? several : await this.#ofSeveral(several, 0, sql`not coalesce(${flagged}, false)`)
    const held = await storedKeys(load.target, columnsOf(load.target.definition, load.goneBy), unsaid)
    const sample = unsaid.find((_, place) => held[place]?.length !== 0)
    if (sample === undefined) return
    const { database, table } = source.definition
    const key = own.map((column, place) => `${column.name} ${sample[place]}`).join(', ')
    throw new TerminalError(
      `${name}: ${database}.${table} has several rows of ${key}, one of which says that it is deleted while another does not, so none of the target was deleted and last_run stays where it is; mark fields as primaryKey() that tell the rows apart, or read a view that has one row of each key`,
    )
  }

  /** Whether the source may have several rows of one of these keys; it asks for all at once. */
  #isAnyOfSeveral(own: readonly ColumnDefinition[], keys: readonly Key[]): Promise<boolean> {
    const { source } = this.#pipeline.extract
    return maybe(source.database, async () => {
      const isKey = hasKey(await source.database.adapter(), own, keys, await bytesOfKey(source, own))
      const names = sql.join(own.map(columnName))
      const found = await queried(
        source.database,
        sql`select 1 from ${tableName(source.definition)} where ${isKey} group by ${names} having count(*) > 1 limit 1`,
      )
      return found.length > 0
    })
  }

  /** Whether the target may have a row of these keys. */
  #isAnyThere(keys: readonly Key[]): Promise<boolean> {
    const { database } = this.#pipeline.load.target
    return maybe(database, async () => (await this.#count(await this.#condition(keys))) > 0)
  }

  /** Of these keys those that more rows of the source have than are given. */
  async #ofSeveral(keys: readonly Key[], rows: number, condition: RawBuilder<unknown> | null): Promise<readonly Key[]> {
    const { source } = this.#pipeline.extract
    const own = columnsOf(source.definition, this.#pipeline.deletes.key)
    const only = [...(await chosenRows(this.#pipeline.extract)), ...(condition === null ? [] : [condition])]
    const found = await storedKeys(
      source,
      own,
      keys.map((key) => this.#part(key)),
      only,
    )
    const isSame = (key: Key) => (other: Key) => keyOf(this.#written.texts(other)) === keyOf(key)
    return keys.filter((key, place) => (found[place]?.filter(isSame(key)).length ?? 0) > rows)
  }

  /**
   * Of the keys of a block those that the target has from rows that spell them so. One that it has from a row of
   * another spelling, which the source still has, is the key of that row.
   */
  async #own(block: Block): Promise<readonly GivenKey[]> {
    const { extract, load } = this.#pipeline
    const own = columnsOf(extract.source.definition, this.#pipeline.deletes.key)
    const by = columnsOf(load.target.definition, load.goneBy)
    const keys = decodeBlock(block)
    const { signal } = this.#services
    const found = await presentKeys(load.target, { columns: by, open: () => [block] }, { signal })
    // A history has several rows of a key.
    const pairs = [...new Map(found.map((one) => [`${one.place} ${keyOf(one.stored)}`, one])).values()].map(
      ({ place, stored }) => ({ given: keys[place] as Key, stored }),
    )
    const spelled = await compareSpellings(this.#pipeline, by, pairs, this.#schema)
    const others = spelled.filter(({ isAlike }) => !isAlike)
    const there =
      others.length === 0
        ? []
        : await storedKeys(
            extract.source,
            own,
            others.map((one) => this.#part(one.spelling)),
            await chosenRows(extract),
          )
    const staying = new Set(
      others.filter(({ spelling }, place) => there[place]?.some((key) => keyOf(key) === keyOf(this.#part(spelling)))),
    )
    return spelled.filter((one) => !staying.has(one))
  }

  /** What of a key of the target the source has, and is not the same in all rows of the pipeline. */
  #part(key: Key): Key {
    const { deletes, load } = this.#pipeline
    return deletes.by.map((field) => key[load.goneBy.indexOf(field)] ?? null)
  }

  async #condition(keys: readonly Key[]): Promise<RawBuilder<unknown>> {
    const { target, goneBy } = this.#pipeline.load
    const columns = columnsOf(target.definition, goneBy)
    const live = await bytesOfKey(target, columns)
    const adapter = await target.database.adapter()
    const isKey = hasKey(adapter, columns, keys, live)
    const isLive = liveRows(this.#pipeline, adapter)
    return sql.join([isKey, ...(isLive === null ? [] : [isLive]), ...ownedRows(this.#pipeline, adapter)], sql` and `)
  }

  async #count(isWanted: RawBuilder<unknown>): Promise<number> {
    const { database, definition } = this.#pipeline.load.target
    const [row] = await queried(database, sql`select count(*) from ${tableName(definition)}${where([isWanted])}`)
    return Number(row?.[0])
  }
}

/** What all keys at once say; true where one of them can be no value of its column, so that each is to be asked for. */
async function maybe(database: Database, ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await database.transaction(ask)
  } catch (error) {
    if (error instanceof DataQualityError) return true
    throw error
  }
}
