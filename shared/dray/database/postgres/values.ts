import { DataQualityError } from '#dray/errors.ts'

const BYTEA = 17

/**
 * Has `pg` read each value as the server's own text, whatever its type; bytes in hexadecimal, whatever `bytea_output`
 * says.
 */
export const AS_TEXT = { getTypeParser: (type: number) => (type === BYTEA ? hexadecimal : asItIs) }
const asItIs = (value: string) => value

/** `escape` writes a byte that is no printable character as a backslash and three octal digits, a backslash as two. */
function hexadecimal(value: string): string {
  if (value.startsWith('\\x')) return value
  const bytes = value.replace(/\\(\d{3}|\\)/g, (_, code: string) =>
    code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 8)),
  )
  return `\\x${Buffer.from(bytes, 'latin1').toString('hex')}`
}

/** Refuses text that would be changed silently on its way to the server. */
export function checkText(value: string): void {
  if (value.includes('\0')) {
    throw new DataQualityError('', '22021', 'the text holds a NUL character (U+0000), which PostgreSQL cannot store')
  }
  if (!value.isWellFormed()) {
    throw new DataQualityError('', '22021', 'the text holds half of a surrogate pair, which UTF-8 cannot hold')
  }
}
