import type { AnyField } from 'dray/internal/active-record/fields.ts'
import type { Text } from 'dray/internal/block/block.ts'

/** A text as TypeScript writes it, in single quotes unless it has one. */
export function quotedText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const inner = text.replace(/[\\\p{Cc}\u2028\u2029\p{Cs}\p{Cf}]|['"]/gu, (sign) => {
    if (sign === '\\') return '\\\\'
    if (sign === '\n') return '\\n'
    if (sign === '\t') return '\\t'
    if (sign === '\r') return '\\r'
    if (sign === "'" || sign === '"') return sign === quote ? `\\${sign}` : sign
    const code = sign.codePointAt(0) as number
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
  return `${quote}${inner}${quote}`
}

/** A list in braces, on one line where it fits. */
export function braced(before: string, items: readonly string[], after: string, width = 120): string {
  const line = `${before}{ ${items.join(', ')} }${after}`
  if (line.length <= width) return line
  const indent = /^ */.exec(before)?.[0] ?? ''
  return `${before}{\n${items.map((item) => `${indent}  ${item},\n`).join('')}${indent}}${after}`
}

/** An import of these names, with the line's end. */
export function importLine(names: readonly string[], from: string): string {
  return braced('import ', names, ` from '${from}'\n`)
}

/** A comment above a line, whatever the database says in it. */
export function comment(text: string, indent = ''): string {
  const words = text.replaceAll('*/', '* /').split(/\s+/u).filter(Boolean)
  const line = `${indent}/** ${words.join(' ')} */`
  if (line.length <= 120) return `${line}\n`
  const lines: string[] = []
  let current = ''
  for (const word of words) {
    if (current !== '' && `${indent} * ${current} ${word}`.length > 120) {
      lines.push(current)
      current = word
    } else current = current === '' ? word : `${current} ${word}`
  }
  return `${indent}/**\n${[...lines, current].map((one) => `${indent} * ${one}\n`).join('')}${indent} */\n`
}

/** A value as a test writes it: of what is exact, its text. */
export function valueLiteral(text: Text, { kind, cast, toText }: AnyField['settings']): string {
  if (text === null) return 'null'
  const canonical = toText(cast(text))
  if (kind === 'bigint') return `${BigInt(canonical)}n`
  if (kind === 'integer' || kind === 'double') return numberText(Number(canonical))
  if (kind === 'boolean') return canonical === '1' ? 'true' : 'false'
  if (kind === 'binary') return `Buffer.from('${canonical.slice(2)}', 'hex')`
  return quotedText(canonical)
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  return Number.isNaN(value) ? 'Number.NaN' : `Number.${value > 0 ? 'POSITIVE' : 'NEGATIVE'}_INFINITY`
}
