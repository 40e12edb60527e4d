import { type RawBuilder, sql } from 'kysely'
import type { DigestCapabilities } from '../capabilities.ts'
import type { FieldKind } from '../field-kind.ts'

type TextOf = (column: RawBuilder<unknown>, liveType: string) => RawBuilder<unknown>

const asUtf8: TextOf = (column) => sql`convert(${column} using utf8mb4)`
const asText: TextOf = (column) => sql`cast(${column} as char)`

const TEXTS: Readonly<Partial<Record<FieldKind, TextOf>>> = {
  bigint: asText,
  integer: asText,
  text: asUtf8,
  varchar: asUtf8,
  date: asText,
  uuid: (column) => sql`lower(convert(${column} using utf8mb4))`,
  boolean: asText,
  decimal: (column) =>
    sql`if(locate('.', cast(${column} as char)) > 0, trim(trailing '.' from trim(trailing '0' from cast(${column} as char))), cast(${column} as char))`,
  timestamp: (column) => sql`date_format(${column}, '%Y-%m-%d %H:%i:%s.%f')`,
}

export const digests: DigestCapabilities = {
  textOf: (column, kind, liveType) => TEXTS[kind]?.(column, liveType) ?? null,
  rowText(texts) {
    const fields = texts.map((text) => sql`coalesce(concat(char_length(${text}), ':', ${text}), '-')`)
    return sql`concat(${sql.join(fields)})`
  },
  // MD5 and SHA-1 have left MySQL's core.
  hashOf: (text) => sql`sha2(${text}, 256)`,
  sumOfDigits: (hash, from) =>
    sql`coalesce(sum(cast(conv(substr(${hash}, ${sql.raw(String(from))}, 12), 16, 10) as decimal(20))), 0)`,
}
