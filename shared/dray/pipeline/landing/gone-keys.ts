import { type RawBuilder, sql } from 'kysely'
import { columnName, readColumn, tableName, where } from '#dray/active-record/sql.ts'
import { columnOf } from '#dray/active-record/table-definition.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import type { Adapter, LiveColumn } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { ownedRows } from '#dray/pipeline/rows/owned-rows.ts'
import { bytesOfKey, columnsOf, hasKey } from '#dray/pipeline/texts/key-texts.ts'
import { isCurrent } from './open-versions.ts'

/** The rows of a target whose key the source has no more, as the target's unique key compares. */
export class GoneRows {
  readonly #pipeline: Pipeline
  readonly #adapter: Adapter
  readonly #isStaying: RawBuilder<unknown>
  /** The contrary. PostgreSQL joins by no condition but one that is EXISTS or NOT EXISTS, and nothing around it. */
  readonly #isLeaving: RawBuilder<unknown>
  readonly #isOwned: readonly RawBuilder<unknown>[]
  /** For the condition of keys. */
  readonly live: readonly LiveColumn[]

  private constructor(
    pipeline: Pipeline,
    adapter: Adapter,
    { isStaying, isLeaving }: { readonly isStaying: RawBuilder<unknown>; readonly isLeaving: RawBuilder<unknown> },
    live: readonly LiveColumn[],
  ) {
    this.#pipeline = pipeline
    this.#adapter = adapter
    this.#isOwned = ownedRows(pipeline, adapter)
    this.#isStaying = isStaying
    this.#isLeaving = isLeaving
    this.live = live
  }

  /**
   * Holds the keys that are not gone, in the open transaction of the target. It judges them itself: the spelling of a
   * key (capitals, padding, zeros) tells nothing of whether it is the same.
   */
  static async among(pipeline: Pipeline, present: OpenBlocks, signal: AbortSignal): Promise<GoneRows> {
    const { database, definition } = pipeline.load.target
    const key = columnsOf(definition, pipeline.load.goneBy).map(({ column }) => column)
    const { isHeld } = await database.withConnection((connection) =>
      connection.holdKeys({ table: definition.table, key }, present, { signal }),
    )
    const live = await bytesOfKey(pipeline.load.target, columnsOf(definition, pipeline.load.goneBy))
    const held = { isStaying: sql.raw(isHeld), isLeaving: sql`not ${sql.raw(isHeld)}` }
    return new GoneRows(pipeline, await database.adapter(), held, live)
  }

  /** Of the keys that are held, the rows themselves: those of which the source says that they are deleted. */
  static async of(pipeline: Pipeline, keys: OpenBlocks, signal: AbortSignal): Promise<GoneRows> {
    const held = await GoneRows.among(pipeline, keys, signal)
    const told = { isStaying: held.#isLeaving, isLeaving: held.#isStaying }
    return new GoneRows(pipeline, held.#adapter, told, held.live)
  }

  /** Rows that are not deleted already: all of them, and those that are gone. */
  async count(signal: AbortSignal): Promise<{ readonly rows: number; readonly gone: number }> {
    const { database, definition } = this.#pipeline.load.target
    return database.withConnection(async (connection, adapter) => {
      const countOf = (conditions: readonly RawBuilder<unknown>[]) =>
        sql`(select count(*) from ${tableName(definition)}${where(conditions)})`
      const all = this.#withKey()
      const { sql: text, parameters } = compile(
        adapter,
        sql`select ${countOf(all)}, ${countOf([...all, this.#isLeaving])}`,
      )
      const [rows, gone] = (await connection.query(text, parameters, { signal })).rows[0] ?? []
      return { rows: Number(rows), gone: Number(gone) }
    })
  }

  /** The keys of the rows that are gone, as the target's texts. */
  async copy<T>(take: (blocks: AsyncIterable<CopyBlock>) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { database, definition } = this.#pipeline.load.target
    return database.withConnection((connection, adapter) => {
      const columns = columnsOf(definition, this.#pipeline.load.goneBy)
      const { sql: text, parameters } = compile(
        adapter,
        sql`select ${sql.join(columns.map((column) => readColumn(adapter, column)))} from ${tableName(definition)}${where([...this.#withKey(), this.isGone])}`,
      )
      return take(connection.copyOut(text, parameters, { signal }))
    })
  }

  /** Rows that are marked as deleted, and are not gone; null where none can be. */
  get areBack(): RawBuilder<unknown> | null {
    const live = this.#pipeline.deletes.kind === 'soft' ? liveRows(this.#pipeline, this.#adapter) : null
    return live === null ? null : sql`not ${live} and ${this.#isStaying}`
  }

  /** For the deletion: the rows of these keys, whatever list they come from, as far as they are gone. */
  ofKeys(adapter: Adapter, keys: readonly (readonly Text[])[]): RawBuilder<unknown> {
    const { load } = this.#pipeline
    const conditions = [
      hasKey(adapter, columnsOf(load.target.definition, load.goneBy), keys, this.live),
      ...this.#live(),
      this.isGone,
    ]
    return sql.join(conditions, sql` and `)
  }

  /** How many rows of these keys are gone. */
  async countOf(keys: readonly (readonly Text[])[]): Promise<number> {
    const { database, definition } = this.#pipeline.load.target
    return database.withConnection(async (connection, adapter) => {
      const statement = sql`select count(*) from ${tableName(definition)} where ${this.ofKeys(adapter, keys)}`
      const { sql: text, parameters } = compile(adapter, statement)
      return Number((await connection.query(text, parameters)).rows[0]?.[0])
    })
  }

  /** A condition on a row, which is named by its table. */
  get isGone(): RawBuilder<unknown> {
    return sql.join([this.#isLeaving, ...this.#isOwned], sql` and `)
  }

  #live(): RawBuilder<unknown>[] {
    const live = liveRows(this.#pipeline, this.#adapter)
    return live === null ? [] : [live]
  }

  #withKey(): RawBuilder<unknown>[] {
    const { load } = this.#pipeline
    const isKey = columnsOf(load.target.definition, load.goneBy).map((column) => sql`${columnName(column)} is not null`)
    return [...this.#live(), ...this.#isOwned, ...isKey]
  }
}

/** Target rows that are not deleted already. */
export function liveRows({ load, deletes }: Pipeline, adapter: Adapter): RawBuilder<unknown> | null {
  if (load.history !== null) return isCurrent(adapter, load)
  if (deletes.kind !== 'soft' || deletes.field === null) return null
  const column = columnOf(load.target.definition, deletes.field)
  const isNull = sql`(${columnName(column)} is null)`
  if (column.field.settings.kind !== 'boolean') return isNull
  return sql`(${isNull} or not ${columnName(column)})`
}
