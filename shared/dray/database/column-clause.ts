/*
 * The text of CREATE TABLE as a server keeps it, in parts: whatever is not changed goes into the next statement as it
 * is, be it known here or not.
 */

/** A column of a CREATE TABLE, word by word. */
export interface ColumnClause {
  readonly name: string
  /** Of more than one word in `double precision`, `int unsigned`. */
  readonly type: readonly string[]
  /** NOT NULL, DEFAULT and all else that stands behind the type. */
  readonly rest: readonly string[]
}

/** The parts of a CREATE TABLE. */
export interface TableText {
  readonly columns: readonly ColumnClause[]
  /** Keys, checks and indexes behind the columns. */
  readonly constraints: readonly (readonly string[])[]
  /** What stands behind the parentheses. */
  readonly options: string
}

const QUOTES: Readonly<Record<string, string>> = { '"': '"', "'": "'", '`': '`', '[': ']' }

/**
 * Words, quoted names and texts, commas, and what stands in parentheses as one; comments are left out, but those that
 * MySQL runs.
 */
export function wordsOf(sql: string, { hasBackslashes = false } = {}): string[] {
  const words: string[] = []
  let place = 0
  while (place < sql.length) {
    const end = endOfWord(sql, place, hasBackslashes)
    const word = sql.slice(place, end)
    if (/\S/.test(word) && !/^(--|\/\*(?!!))/.test(word)) words.push(word)
    place = end
  }
  return words
}

function endOfWord(sql: string, place: number, hasBackslashes: boolean): number {
  const first = sql[place] as string
  if (/\s/.test(first)) return place + 1
  if (sql.startsWith('--', place)) return endBefore(sql.indexOf('\n', place), sql.length)
  if (sql.startsWith('/*', place)) return endBefore(sql.indexOf('*/', place), sql.length, 2)
  if (QUOTES[first] !== undefined) return endOfQuoted(sql, place, hasBackslashes)
  if (first === '(') return endOfGroup(sql, place, hasBackslashes)
  if (first === ',' || first === ')') return place + 1
  let end = place + 1
  while (end < sql.length && !/[\s(),"'`[]/.test(sql[end] as string)) end++
  return end
}

function endBefore(found: number, otherwise: number, length = 0): number {
  return found === -1 ? otherwise : found + length
}

function endOfQuoted(sql: string, place: number, hasBackslashes: boolean): number {
  const close = QUOTES[sql[place] as string] as string
  for (let end = place + 1; end < sql.length; end++) {
    if (hasBackslashes && sql[end] === '\\' && close === "'") end++
    else if (sql[end] === close) {
      if (sql[end + 1] !== close || close === ']') return end + 1
      end++
    }
  }
  return sql.length
}

function endOfGroup(sql: string, place: number, hasBackslashes: boolean): number {
  let end = place + 1
  while (end < sql.length && sql[end] !== ')') end = endOfWord(sql, end, hasBackslashes)
  return Math.min(end + 1, sql.length)
}

/** Words that no column is called without quotes. */
const CONSTRAINTS = /^(constraint|primary|unique|check|foreign)$/i
const BEHIND_TYPE =
  /^(constraint|primary|not|null|unique|check|default|collate|references|generated|as|auto_increment|on|comment|invisible|virtual|stored|persistent)$/i

/** Takes a CREATE TABLE apart. */
export function tableTextOf(sql: string, options: { readonly hasBackslashes?: boolean } = {}): TableText {
  const words = wordsOf(sql, options)
  const place = words.findIndex((word) => word.startsWith('('))
  const body = words[place] ?? '()'
  const clauses = split(wordsOf(body.slice(1, -1), options))
  const columns = clauses.filter(([first = '']) => !CONSTRAINTS.test(first))
  return {
    columns: columns.map(columnClauseOf),
    constraints: clauses.filter(([first = '']) => CONSTRAINTS.test(first)),
    options: words.slice(place + 1).join(' '),
  }
}

function split(words: readonly string[]): string[][] {
  const clauses: string[][] = [[]]
  for (const word of words) {
    if (word === ',') clauses.push([])
    else clauses.at(-1)?.push(word)
  }
  return clauses.filter((clause) => clause.length > 0)
}

function columnClauseOf([name = '', ...words]: readonly string[]): ColumnClause {
  const found = words.findIndex(
    (word, at) => BEHIND_TYPE.test(word) || has(words.slice(at, at + 2), 'character', 'set'),
  )
  const end = found === -1 ? words.length : found
  return { name: unquoted(name), type: words.slice(0, end), rest: words.slice(end) }
}

function unquoted(word: string): string {
  const close = QUOTES[word[0] ?? '']
  if (close === undefined) return word
  const inner = word.slice(1, -1)
  return close === ']' ? inner : inner.replaceAll(close + close, close)
}

/** Words without the first run of these, and without so many that stand behind it. */
export function without(words: readonly string[], run: readonly string[], behind = 0): readonly string[] {
  const place = words.findIndex((_, at) => run.every((word, step) => same(words[at + step], word)))
  if (place === -1) return words
  return [...words.slice(0, place), ...words.slice(place + run.length + behind)]
}

export function has(words: readonly string[], ...run: readonly string[]): boolean {
  return without(words, run).length < words.length
}

function same(word: string | undefined, other: string): boolean {
  return word?.toLowerCase() === other
}
