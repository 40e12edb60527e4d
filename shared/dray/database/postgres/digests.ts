import { type RawBuilder, sql } from 'kysely'
import type { DigestCapabilities } from '../capabilities.ts'
import type { FieldKind } from '../field-kind.ts'

type TextOf = (column: RawBuilder<unknown>, liveType: string) => RawBuilder<unknown>

const asItIs: TextOf = (column) => column
const asText: TextOf = (column) => sql`cast(${column} as text)`

const TEXTS: Readonly<Partial<Record<FieldKind, TextOf>>> = {
  bigint: asText,
  integer: asText,
  text: asItIs,
  varchar: asItIs,
  date: asText,
  uuid: asText,
  boolean: (column) => sql`cast(cast(${column} as integer) as text)`,
  decimal: (column) => sql`cast(trim_scale(${column}) as text)`,
  timestamp: (column, type) =>
    sql`to_char(${type.includes('with time zone') ? sql`${column} at time zone 'UTC'` : column}, 'YYYY-MM-DD HH24:MI:SS.US')`,
}

export const digests: DigestCapabilities = {
  textOf: (column, kind, liveType) => TEXTS[kind]?.(column, liveType) ?? null,
  rowText(texts) {
    const fields = texts.map((text) => sql`coalesce(cast(char_length(${text}) as text) || ':' || ${text}, '-')`)
    return sql.join(fields, sql` || `)
  },
  hashOf: (text) => sql`encode(sha256(convert_to(${text}, 'UTF8')), 'hex')`,
  sumOfDigits: (hash, from) =>
    sql`coalesce(sum(cast(cast('x' || substr(${hash}, ${sql.raw(String(from))}, 12) as bit(48)) as bigint)), 0)`,
}
