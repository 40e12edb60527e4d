import { type RawBuilder, sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { after, columnName, tableName, upTo, where } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, columnOf } from '#dray/active-record/table-definition.ts'
import type { Adapter, Dialect, LiveTable } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { mappingOf } from '#dray/pipeline/declare/take.ts'
import { liveRows } from '#dray/pipeline/landing/gone-keys.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'

interface Side {
  readonly model: AnyModel
  readonly adapter: Adapter
  readonly key: readonly ColumnDefinition[]
  /** The columns that are digested, in the same order on both sides, as texts that are alike on every engine. */
  readonly texts: readonly RawBuilder<unknown>[]
  readonly condition: RawBuilder<unknown> | null
}

/** A range of keys: behind `from`, up to and with `to`; null where it is open. */
export interface Bounds {
  readonly from: readonly string[] | null
  readonly to: readonly string[] | null
}

const KEYS = new Set(['bigint', 'integer'])

type TextOf = (name: RawBuilder<unknown>, liveType: string) => RawBuilder<unknown>
const plain: TextOf = (name) => name
const asText: TextOf = (name) => sql`cast(${name} as text)`
const asChar: TextOf = (name) => sql`cast(${name} as char)`

/** How each engine writes a kind, so that the same value has the same text. */
const TEXTS: Readonly<Record<Exclude<Dialect, 'sqlite'>, Readonly<Record<string, TextOf>>>> = {
  postgres: {
    bigint: asText,
    integer: asText,
    text: plain,
    varchar: plain,
    date: asText,
    uuid: asText,
    boolean: (name) => sql`cast(cast(${name} as integer) as text)`,
    decimal: (name) => sql`cast(trim_scale(${name}) as text)`,
    timestamp: (name, type) =>
      sql`to_char(${type.includes('with time zone') ? sql`${name} at time zone 'UTC'` : name}, 'YYYY-MM-DD HH24:MI:SS.US')`,
  },
  mysql: {
    bigint: asChar,
    integer: asChar,
    text: (name) => sql`convert(${name} using utf8mb4)`,
    varchar: (name) => sql`convert(${name} using utf8mb4)`,
    date: asChar,
    uuid: (name) => sql`lower(convert(${name} using utf8mb4))`,
    boolean: asChar,
    decimal: (name) =>
      sql`if(locate('.', cast(${name} as char)) > 0, trim(trailing '.' from trim(trailing '0' from cast(${name} as char))), cast(${name} as char))`,
    timestamp: (name) => sql`date_format(${name}, '%Y-%m-%d %H:%i:%s.%f')`,
  },
}

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
        null,
      ),
      await sideOf(
        load.target,
        keys,
        columns.map(({ target }) => target),
        liveRows(pipeline),
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
    const { model, adapter, key } = this.#source
    const conditions = from === null ? [] : [after(adapter, key, from)]
    const names = sql.join(key.map(columnName))
    const statement = compile(
      adapter,
      sql`select ${names} from ${tableName(model.definition)}${where(conditions)} order by ${names} limit 1 offset ${sql.raw(String(rows - 1))}`,
    )
    return ((await model.database.query(statement.sql, statement.parameters)).rows[0] as string[] | undefined) ?? null
  }

  /** Rows of the source in the range, and whether both databases compute the same of it. */
  async compare(bounds: Bounds): Promise<{ readonly rows: number; readonly same: boolean }> {
    const [one, other] = await Promise.all([digest(this.#source, bounds), digest(this.#target, bounds)])
    return { rows: Number(one[0]), same: one.join() === other.join() }
  }
}

async function sideOf(
  model: AnyModel,
  key: readonly ColumnDefinition[],
  columns: readonly ColumnDefinition[],
  condition: RawBuilder<unknown> | null,
): Promise<Side | null> {
  const adapter = await model.database.adapter()
  if (adapter.dialect === 'sqlite') return null
  const live = await model.database.withConnection((connection) => connection.describe(model.definition.table))
  const texts = columns.map((column) => textOf(column, adapter.dialect, live))
  if (texts.includes(null)) return null
  return { model, adapter, key, texts: texts as RawBuilder<unknown>[], condition }
}

function textOf(column: ColumnDefinition, dialect: Dialect, live: LiveTable | null): RawBuilder<unknown> | null {
  const type = live?.columns.find(({ name }) => name === column.column)?.type ?? ''
  const write = dialect === 'sqlite' ? undefined : TEXTS[dialect][column.field.settings.kind]
  const isUnlike = column.field.settings.kind !== 'uuid' && UNLIKE.test(type)
  return write === undefined || isUnlike ? null : write(columnName(column), type)
}

/** The number of rows and the sums of two parts of each row's MD5: of any order, and not the same by chance. */
async function digest(
  { model, adapter, key, texts, condition }: Side,
  { from, to }: Bounds,
): Promise<readonly (string | null)[]> {
  const conditions = [
    ...(condition === null ? [] : [condition]),
    ...(from === null ? [] : [after(adapter, key, from)]),
    ...(to === null ? [] : [upTo(adapter, key, to)]),
  ]
  const isMysql = adapter.dialect === 'mysql'
  const hash = sql.id('h')
  const part = (at: number) =>
    isMysql
      ? sql`coalesce(sum(cast(conv(substr(${hash}, ${sql.raw(String(at))}, 12), 16, 10) as decimal(20))), 0)`
      : sql`coalesce(sum(cast(cast('x' || substr(${hash}, ${sql.raw(String(at))}, 12) as bit(48)) as bigint)), 0)`
  const statement = compile(
    adapter,
    sql`select count(*), ${part(1)}, ${part(13)} from (select md5(${rowText(texts, isMysql)}) as ${hash} from ${tableName(model.definition)}${where(conditions)}) as ${sql.id('hashes')}`,
  )
  const { rows } = await model.database.query(statement.sql, statement.parameters)
  return rows[0] ?? []
}

/** Each text with its length in front, so that no two rows read alike; NULL is a dash. */
function rowText(texts: readonly RawBuilder<unknown>[], isMysql: boolean): RawBuilder<unknown> {
  const fields = texts.map((text) =>
    isMysql
      ? sql`coalesce(concat(char_length(${text}), ':', ${text}), '-')`
      : sql`coalesce(cast(char_length(${text}) as text) || ':' || ${text}, '-')`,
  )
  return isMysql ? sql`concat(${sql.join(fields)})` : sql`${sql.join(fields, sql` || `)}`
}
