/** The place of the bracket that closes the one at `open`; -1 where there is none. Strings and comments are skipped. */
export function closing(text: string, open: number): number {
  const pairs: Readonly<Record<string, string>> = { '[': ']', '(': ')', '{': '}' }
  const expected: string[] = []
  for (let place = open; place < text.length; place++) {
    const sign = text.charAt(place)
    const skipped = skippedTo(text, place)
    if (skipped !== place) place = skipped - 1
    else if (pairs[sign] !== undefined) expected.push(pairs[sign])
    else if (sign === ']' || sign === ')' || sign === '}') {
      if (expected.pop() !== sign) return -1
      if (expected.length === 0) return place
    }
  }
  return -1
}

/** Behind the string or the comment that begins at a place; the place itself where none does. */
function skippedTo(text: string, place: number): number {
  const [found] =
    /^(?:\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`)/.exec(
      text.slice(place, place + 20_000),
    ) ?? ['']
  return place + found.length
}

/** Where `pattern`, which ends in an opening bracket, is found in code; null where it is not. */
export function bracketsOf(
  text: string,
  pattern: RegExp,
  from = 0,
): { readonly open: number; readonly close: number } | null {
  const found = pattern.exec(text.slice(from))
  if (found === null) return null
  const open = from + found.index + found[0].length - 1
  const close = closing(text, open)
  return close < 0 ? null : { open, close }
}

/** Adds items at the end of a list in brackets, in the form that it has: on one line, or a line each. */
export function withItems(
  text: string,
  { open, close }: { readonly open: number; readonly close: number },
  items: readonly string[],
): string {
  const inner = text.slice(open + 1, close)
  const isEmpty = inner.trim() === ''
  if (!inner.includes('\n')) {
    const isBrace = text.charAt(open) === '{'
    const list = isEmpty ? items.join(', ') : `${inner.trim().replace(/,$/, '')}, ${items.join(', ')}`
    const line = `${text.slice(text.lastIndexOf('\n', open) + 1, open + 1)}${list}`
    if (line.length <= 116) return `${text.slice(0, open + 1)}${isBrace ? ` ${list} ` : list}${text.slice(close)}`
    const indent = indentAt(text, open)
    const former = isEmpty ? [] : topLevel(inner)
    const lines = [...former, ...items].map((item) => `${indent}  ${item},\n`)
    return `${text.slice(0, open + 1)}\n${lines.join('')}${indent}${text.slice(close)}`
  }
  const indent = indentAt(text, close)
  const kept = text.slice(0, close).trimEnd()
  const last = kept.slice(kept.lastIndexOf('\n') + 1)
  const comma = /[,[{]$/.test(kept) || /(^|\s)\/\//.test(last) || isEmpty ? '' : ','
  return `${kept}${comma}\n${items.map((item) => `${indent}  ${item},\n`).join('')}${indent}${text.slice(close)}`
}

function indentAt(text: string, place: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', place - 1) + 1))?.[0] ?? ''
}

/** The items of a list, at its commas. */
function topLevel(inner: string): string[] {
  const items: string[] = []
  let start = 0
  for (let place = 0; place < inner.length; place++) {
    const skipped = skippedTo(inner, place)
    if (skipped !== place) place = skipped - 1
    else if ('[({'.includes(inner.charAt(place))) place = Math.max(closing(inner, place), place)
    else if (inner.charAt(place) === ',') {
      items.push(inner.slice(start, place).trim())
      start = place + 1
    }
  }
  return [...items, inner.slice(start).trim()].filter((item) => item !== '')
}

/** Adds an import of one name behind the imports that are there. */
export function withImport(text: string, name: string, from: string): string {
  const line = `import { ${name} } from '${from}'\n`
  const imports = [...text.matchAll(/^import\b[\s\S]*?\bfrom\s*['"]([^'"\n]+)['"];?[^\n]*\n/gm)]
  const later = imports.find(([, other]) => isAfter(other as string, from))
  if (later !== undefined) return `${text.slice(0, later.index)}${line}${text.slice(later.index)}`
  const last = imports.at(-1)
  const place = last === undefined ? 0 : (last.index as number) + last[0].length
  return `${text.slice(0, place)}${line}${last === undefined ? '\n' : ''}${text.slice(place)}`
}

/** As the formatter puts imports in order: packages, `#…`, then files. */
function isAfter(one: string, other: string): boolean {
  const rank = (source: string) =>
    source.startsWith('.') ? 3 : source.startsWith('#') ? 2 : source.startsWith('node:') ? 0 : 1
  if (rank(one) !== rank(other)) return rank(one) > rank(other)
  const [left, right] = [one, other].map((source) => source.split('/'))
  const place = left?.findIndex((part, index) => part !== right?.[index]) ?? -1
  return (left?.[place] ?? '') > (right?.[place] ?? '')
}

/** Adds names to the import from a package, or the import itself. */
export function withNames(text: string, names: readonly string[], from: string): string {
  const found = new RegExp(`^import \\{([^}]*)\\} from '${from}'`, 'm').exec(text)
  if (found === null) return `import { ${[...names].sort().join(', ')} } from '${from}'\n\n${text.replace(/^\n+/, '')}`
  const present = (found[1] ?? '').split(',').flatMap((name) => name.trim() || [])
  const all = [...new Set([...present, ...names])].sort((one, other) => bare(one).localeCompare(bare(other)))
  const line = `import { ${all.join(', ')} } from '${from}'`
  const written = line.length <= 120 ? line : `import {\n${all.map((name) => `  ${name},\n`).join('')}} from '${from}'`
  return `${text.slice(0, found.index)}${written}${text.slice((found.index as number) + found[0].length)}`
}

const bare = (name: string) => name.replace(/^type /, '')
