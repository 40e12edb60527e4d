import type { FieldPacket } from 'mysql2'
import type { Text } from '#dray/block/block.ts'

const VAR_STRING = 253
const BLOB = 252
const STRINGS = new Set([15, 247, 248, 249, 250, 251, 252, 253, 254])
const BYTES = new Set([16, 242, 255]) // BIT, VECTOR, GEOMETRY
const JSON_TYPE = 245
const BINARY_CHARSET = 63
const UTF8MB4 = 45

/** A type as the protocol has it, with its length in bytes and the digits behind its point. */
export interface ColumnType {
  readonly code: number
  readonly length: number
  readonly decimals: number
  readonly flags: number
  readonly isBytes: boolean
}

/** The columns of a result: their names and types, and which of them hold bytes. */
export interface TextColumns {
  readonly names: readonly string[]
  readonly types: readonly ColumnType[]
  readonly binary: readonly number[]
}

export const NO_COLUMNS: TextColumns = { names: [], types: [], binary: [] }

/**
 * Makes mysql2 read every column as the text that the server sent, called while it has the columns of a result and has
 * not built its row parser: as they are, it would make numbers, Dates and parsed JSON of them, and refuse a column that
 * is named `__proto__`.
 */
export function readAsText(fields: readonly FieldPacket[]): TextColumns {
  const names = fields.map(({ name }) => name)
  const types = fields.map(typeOf)
  const binary: number[] = []
  fields.forEach((field, index) => {
    const type = field.columnType as number
    field.name = String(index)
    const isString = STRINGS.has(type)
    const isBytes = BYTES.has(type) || (isString && field.characterSet === BINARY_CHARSET)
    if (isBytes) {
      binary.push(index)
      field.columnType = BLOB
      field.characterSet = BINARY_CHARSET
      return
    }
    field.columnType = VAR_STRING
    field.characterSet = UTF8MB4
    field.encoding = isString || type === JSON_TYPE ? 'utf8' : 'latin1'
  })
  return { names, types, binary }
}

function typeOf({ columnType, columnLength, decimals, flags, characterSet }: FieldPacket): ColumnType {
  return {
    code: columnType as number,
    length: columnLength as number,
    decimals: decimals as number,
    flags: flags as number,
    isBytes: characterSet === BINARY_CHARSET,
  }
}

/** Writes the binary values of a row as `\x` and hexadecimal, in place. */
export function hexadecimal(row: (Text | Buffer)[], binary: readonly number[]): Text[] {
  for (const index of binary) {
    const bytes = row[index]
    if (bytes instanceof Uint8Array)
      row[index] = `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`
  }
  return row as Text[]
}
