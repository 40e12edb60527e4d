import type { Adapter } from '#dray/database/adapter.ts'
import type { SchemaCapabilities } from '#dray/database/capabilities.ts'
import { binaryOf, type FieldType, typeOf, varcharOf } from './field-type.ts'

/** Bytes of a key that each engine keeps, and of a row beside its long texts, at four bytes for a character. */
const MOST_KEY_BYTES = 3072
const MOST_ROW_BYTES = 60_000
const KEY_TEXT = 255

interface Wanted {
  readonly type: FieldType
  readonly isKey: boolean
}

/** The types by which the target holds what the source's types hold. */
export function targetTypes(
  fields: readonly Wanted[],
  { schema }: Pick<Adapter, 'schema'>,
  collation: string | null = null,
): FieldType[] {
  const types = fields.map(({ type }) => (schema.columnFault(type) === null ? type : withoutSize(type)))
  const keys = fields.flatMap(({ isKey }, place) => (isKey ? [place] : []))
  const key = () => keys.map((place) => types[place] as FieldType)
  if (schema.keyFault(key()) !== null) {
    const bytes = Math.floor(MOST_KEY_BYTES / keys.length)
    for (const place of keys) types[place] = asKey(types[place] as FieldType, bytes, schema)
  }
  if (collation !== null)
    for (const place of keys) types[place] = collated(types[place] as FieldType, collation, schema)
  return schema.columnType(typeOf('text')) === 'longtext' ? shortRows(types, keys) : types
}

function collated(type: FieldType, collation: string, schema: SchemaCapabilities): FieldType {
  const made = schema.columnType(type)
  return /^(?:var)?char\(/i.test(made) ? { ...type, native: `${made} collate ${collation}` } : type
}

function withoutSize({ kind }: FieldType): FieldType {
  return typeOf(kind === 'binary' ? 'binary' : 'text')
}

function asKey(type: FieldType, bytes: number, schema: SchemaCapabilities): FieldType {
  // One of the engine's own that a key can have as it is.
  if (type.native !== undefined && schema.keyFault([type]) === null && type.length === null) return type
  if (type.kind === 'binary') return binaryOf(Math.min(type.length ?? KEY_TEXT, bytes))
  if (type.kind !== 'text' && type.kind !== 'json' && type.kind !== 'varchar') return type
  return varcharOf(Math.min(type.length ?? KEY_TEXT, Math.floor(bytes / 4)))
}

/** The longest texts leave the row until the rest fits. */
function shortRows(types: FieldType[], keys: readonly number[]): FieldType[] {
  const bytes = ({ kind, length }: FieldType) =>
    kind === 'varchar' ? 4 * (length ?? 0) : kind === 'binary' ? (length ?? 0) : 0
  const places = types.map((_, place) => place).filter((place) => !keys.includes(place))
  const byLength = places.sort((one, other) => bytes(types[other] as FieldType) - bytes(types[one] as FieldType))
  for (const place of byLength) {
    if (types.reduce((sum, type) => sum + bytes(type), 0) <= MOST_ROW_BYTES) break
    types[place] = withoutSize(types[place] as FieldType)
  }
  return types
}
