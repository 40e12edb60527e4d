import { type RawBuilder, sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { after, ascending, type ComparedKey, comparedKey, upTo } from '#dray/active-record/compared-key.ts'
import { columnName, tableName, where } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf } from '#dray/active-record/table-definition.ts'
import type { Adapter, LiveTable } from '#dray/database/adapter.ts'
import type { DigestCapabilities } from '#dray/database/capabilities.ts'
import { compile } from '#dray/database/statement.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import { mappingOf } from '#dray/pipeline/declare/copy-fields.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { liveRows } from '#dray/pipeline/landing/gone-keys.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import type { SourceTable } from '#dray/pipeline/plan/source-table.ts'
import { isFlagged } from '#dray/pipeline/rows/flagged-rows.ts'
import { mostWritten, RowSizes } from '#dray/pipeline/rows/large-values.ts'
import { ownedRows } from '#dray/pipeline/rows/owned-rows.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'

interface Side {
  readonly model: AnyModel
  readonly adapter: Adapter
  readonly digests: DigestCapabilities
  readonly key: ComparedKey
  /** The columns that are digested, in the same order on both sides, as texts that are alike on every engine. */
  readonly texts: readonly RawBuilder<unknown>[]
  /** The same of its key alone, for a row that is too large to be digested. */
  readonly keyTexts: readonly RawBuilder<unknown>[]
  /** True for a row that is not too large to be digested. */
  readonly isSmall: RawBuilder<unknown>
  readonly condition: RawBuilder<unknown> | null
  /** Rows that say themselves that they are deleted; null where none does. */
  readonly isDeleted: RawBuilder<unknown> | null
}

/** A range of keys: behind `from`, up to and with `to`; null where it is open. */
export interface Bounds {
  readonly from: readonly string[] | null
  readonly to: readonly string[] | null
}

const KEYS = new Set(['bigint', 'integer'])

/** Live types whose text is not what is read of them. */
const UNLIKE = /^(character\(|char\(|citext|enum|set\()/i

/** Digests of key ranges, computed by the source and by the target: equal ones need no row to be read. */
export class RangeDigests {
  readonly #source: Side
  readonly #target: Side

  private constructor(source: Side, target: Side) {
    this.#source = source
    this.#target = target
  }

  /** Null where the databases cannot compute what could be compared: then it is said why. */
  static async of(pipeline: Pipeline): Promise<RangeDigests | { readonly reason: string }> {
    const { extract, load } = pipeline
    const mapping = mappingOf(pipeline.transform)
    if (mapping === null || load.history !== null) {
      return { reason: 'every row was read and compared here: the databases know nothing of the transform' }
    }
    const targets = bulkColumns(load.target.definition).filter(({ field }) => !field.settings.isTouched)
    const compared = targets.filter(({ name }) => name !== pipeline.deletes.field)
    const pairs = compared.map((target) => {
      const from = mapping[target.name]
      return { target, source: from === undefined ? null : columnOf(extract.source.definition, from) }
    })
    const keys = columnsOf(load.target.definition, load.by)
    const sourceKeys = keys.map(({ name }) => mapping[name]).join()
    const primary = extract.source.definition.primaryKey
    const isSameKey =
      sourceKeys === primary.map(({ name }) => name).join() &&
      [...keys, ...primary].every(({ field }) => KEYS.has(field.settings.kind))
    if (!isSameKey)
      return { reason: 'every row was read and compared here: the keys are not whole numbers taken over as they are' }
    const columns = pairs.flatMap(({ source, target }) => (source === null ? [] : [{ source, target }]))
    const sides = [
      await sideOf(
        extract.source,
        primary,
        columns.map(({ source }) => source),
        {
          conditionOf: (live) => ownRows(extract, live)[0] ?? null,
          isDeleted: isFlagged(pipeline),
          limits: pipeline.limits,
        },
      ),
      await sideOf(
        load.target,
        keys,
        columns.map(({ target }) => target),
        { conditionOf: ({ adapter }) => ownLiveRows(pipeline, adapter), isDeleted: null, limits: pipeline.limits },
      ),
    ]
    const alike = columns.every(({ source, target }) => source.field.settings.kind === target.field.settings.kind)
    const [one, other] = sides
    if (columns.length < pairs.length || !alike || !one || !other) {
      return { reason: 'every row was read and compared here: not every column can be written alike by both databases' }
    }
    return new RangeDigests(one, other)
  }

  /** The end of a range of `rows` rows behind a key of the source; null when there is no more. */
  async boundary(from: readonly string[] | null, rows: number): Promise<readonly string[] | null> {
    const { model, adapter, key, condition } = this.#source
    const conditions = [...(condition === null ? [] : [condition]), ...(from === null ? [] : [after(key, from)])]
    const names = sql.join(key.map(({ column }) => columnName(column)))
    const statement = compile(
      adapter,
      sql`select ${names} from ${tableName(model.definition)}${where(conditions)} order by ${ascending(key)} limit 1 offset ${sql.raw(String(rows - 1))}`,
    )
    return ((await model.database.query(statement.sql, statement.parameters)).rows[0] as string[] | undefined) ?? null
  }

  /**
   * Rows of the source in the range, those that say that they are deleted apart, and whether both databases compute the
   * same of the others.
   */
  async compare(bounds: Bounds): Promise<{ readonly rows: number; readonly deleted: number; readonly same: boolean }> {
    const [[all = null, ...one], [, ...other]] = await Promise.all([
      digest(this.#source, bounds),
      digest(this.#target, bounds),
    ])
    return { rows: Number(one[0]), deleted: Number(all) - Number(one[0]), same: one.join() === other.join() }
  }
}

/** Of the target those rows that are not deleted, and that are the pipeline's. */
function ownLiveRows(pipeline: Pipeline, adapter: Adapter): RawBuilder<unknown> | null {
  const live = liveRows(pipeline, adapter)
  const conditions = [...(live === null ? [] : [live]), ...ownedRows(pipeline, adapter)]
  return conditions.length === 0 ? null : sql.join(conditions, sql` and `)
}

async function sideOf(
  model: AnyModel,
  key: readonly ColumnDefinition[],
  columns: readonly ColumnDefinition[],
  {
    conditionOf,
    isDeleted,
    limits,
  }: Pick<Pipeline, 'limits'> & {
    readonly isDeleted: ReturnType<typeof isFlagged>
    conditionOf(live: Pick<SourceTable, 'adapter' | 'columns'>): Side['condition']
  },
): Promise<Side | null> {
  const adapter = await model.database.adapter()
  const { digests } = adapter
  if (digests === null) return null
  const live = await model.database.withConnection((connection) => connection.describe(model.definition.table))
  const texts = columns.map((column) => textOf(column, digests, live))
  const keyTexts = key.map((column) => textOf(column, digests, live))
  if (texts.includes(null) || keyTexts.includes(null)) return null
  return {
    model,
    adapter,
    digests,
    key: comparedKey(adapter, key, live?.columns ?? []),
    texts: texts as RawBuilder<unknown>[],
    keyTexts: keyTexts as RawBuilder<unknown>[],
    isSmall: sql`${new RowSizes(columns, { adapter, columns: live?.columns ?? [] }, limits).total} <= ${sql.raw(String(mostWritten(limits)))}`,
    condition: conditionOf({ adapter, columns: live?.columns ?? [] }),
    isDeleted: isDeleted === null ? null : isDeleted(adapter),
  }
}

function textOf(
  column: ColumnDefinition,
  digests: DigestCapabilities,
  live: LiveTable | null,
): RawBuilder<unknown> | null {
  const { kind } = column.field.settings
  const type = live?.columns.find(({ name }) => name === column.column)?.type ?? ''
  return kind !== 'uuid' && UNLIKE.test(type) ? null : digests.textOf(columnName(column), kind, type)
}

/**
 * The number of rows, of those that do not say that they are deleted, and of these the sums of two parts of each row's
 * hash: of any order, and not the same by chance.
 */
async function digest(
  { model, adapter, digests, key, texts, keyTexts, isSmall, condition, isDeleted }: Side,
  { from, to }: Bounds,
): Promise<readonly (string | null)[]> {
  const conditions = [
    ...(condition === null ? [] : [condition]),
    ...(from === null ? [] : [after(key, from)]),
    ...(to === null ? [] : [upTo(key, to)]),
  ]
  const [hash, kept] = [sql.id('h'), sql.id('k')]
  const hashOf = (of: readonly RawBuilder<unknown>[]) => digests.hashOf(digests.rowText(of))
  const ofRow = sql`when ${isSmall} then ${hashOf(texts)} else ${hashOf(keyTexts)} end`
  const [rowHash, isKept] =
    isDeleted === null
      ? [sql`case ${ofRow}`, sql`1`]
      : [sql`case when coalesce(${isDeleted}, false) then null ${ofRow}`, sql`case when ${isDeleted} then 0 else 1 end`]
  const statement = compile(
    adapter,
    sql`select count(*), coalesce(sum(${kept}), 0), ${digests.sumOfDigits(hash, 1)}, ${digests.sumOfDigits(hash, 13)} from (select ${rowHash} as ${hash}, ${isKept} as ${kept} from ${tableName(model.definition)}${where(conditions)}) as ${sql.id('hashes')}`,
  )
  const { rows } = await model.database.query(statement.sql, statement.parameters)
  return rows[0] ?? []
}
