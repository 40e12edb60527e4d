import type { FieldType } from '#dray/active-record/field-type.ts'
import type { LiveColumn } from '#dray/database/adapter.ts'
import type { Alteration, WantedColumn } from '#dray/database/alterations.ts'
import type { LiveTypes } from '#dray/database/live-types.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'

/** A column of either side as it lives, and the types of its engine. */
interface SideColumn {
  readonly types: LiveTypes | null
  readonly column: LiveColumn
}

/** Bytes that whole numbers of a type take. */
const WHOLE: Readonly<Record<string, number>> = {
  tinyint: 1,
  smallint: 2,
  mediumint: 3,
  int: 4,
  integer: 4,
  bigint: 8,
}

/** Types without a size of an engine that has a `longtext` beside its `text`. */
const LENGTHS: Readonly<Record<string, number>> = {
  tinytext: 255,
  tinyblob: 255,
  text: 65_535,
  blob: 65_535,
  mediumtext: 16_777_215,
  mediumblob: 16_777_215,
}

/** Whether a column of the source may have values that one of the target has no room for. */
export function isWider(kind: FieldType['kind'], source: SideColumn, target: SideColumn): boolean {
  if (source.types === target.types && source.column.type === target.column.type) return false
  switch (kind) {
    case 'integer':
    case 'bigint': {
      const [one, other] = [rangeOf(source.column.type), rangeOf(target.column.type)]
      return one.least < other.least || one.most > other.most
    }
    case 'text':
    case 'varchar':
    case 'binary':
      return lengthOf(source) > lengthOf(target)
    case 'decimal': {
      const [one, other] = [digitsOf(source.column), digitsOf(target.column)]
      return one.whole > other.whole || one.scale > other.scale
    }
    default:
      return false
  }
}

export function isWhole(type: string): boolean {
  return (/^\w+/.exec(type.toLowerCase())?.[0] ?? '') in WHOLE
}

/** The whole numbers of a type; of one that is no integer those of 64 bits. */
export function rangeOf(type: string): { readonly least: bigint; readonly most: bigint } {
  const bits = 8n * BigInt(WHOLE[/^\w+/.exec(type.toLowerCase())?.[0] ?? ''] ?? 8)
  if (/unsigned|zerofill/i.test(type)) return { least: 0n, most: 2n ** bits - 1n }
  return { least: -(2n ** (bits - 1n)), most: 2n ** (bits - 1n) - 1n }
}

const HAS_LENGTH = /char|text|clob|binary|blob|bytea/i

function lengthOf({ types, column: { type } }: SideColumn): number {
  // An enumeration says what it holds.
  if (!HAS_LENGTH.test(type)) return 0
  const size = /\((\d+)\)/.exec(type)
  if (size !== null) return Number(size[1])
  const length = types !== null && 'longtext' in types ? LENGTHS[type.toLowerCase()] : undefined
  return length ?? Number.POSITIVE_INFINITY
}

/** Digits before the point and behind it. */
export function digitsOf({ type }: Pick<LiveColumn, 'type'>) {
  const sizes = /\((\d+)(?:,\s*(\d+))?\)/.exec(type)
  const scale = Number(sizes?.[2] ?? 0)
  return { whole: sizes === null ? Number.POSITIVE_INFINITY : Number(sizes[1]) - scale, scale }
}

/** What widens a column of the target; null where the engine has no such type, or it would narrow it in part. */
export async function wideningOf(
  { database, definition }: AnyModel,
  wanted: WantedColumn,
  { type: liveType, nullable }: LiveColumn,
): Promise<Alteration | null> {
  return database.withConnection(async (connection, adapter) => {
    if (adapter.alter.isType(wanted, liveType)) return null
    const ask = async (text: string, parameters: readonly string[] = []) =>
      (await connection.query(text, parameters)).rows
    const change = {
      kind: 'change',
      column: { ...wanted, nullable },
      ...{ liveType, type: true, nullable: false, startsAtZero: false, isGenerated: false },
    } as const
    const [alteration] = await adapter.alter.alterationsOf(ask, definition.table, [change])
    return alteration === undefined || alteration.mark === 'loses data' ? null : alteration
  })
}
