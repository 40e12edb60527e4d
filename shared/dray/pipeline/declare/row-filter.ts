import type { Fields } from '#dray/active-record/fields.ts'
import type { ConditionsOf } from '#dray/active-record/relation.ts'
import { checkConditions, checkedParts, defined } from '#dray/active-record/sql.ts'
import {
  type ColumnDefinition,
  columnOf,
  type TableDefinition,
  valueToText,
} from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { bound } from '#dray/database/statement.ts'
import { ConfigurationError, DataQualityError } from '#dray/errors.ts'
import { chanceIn } from './volatile-sql.ts'

/** A piece of a condition: SQL as it is, a column, a value that is compared with one, or whether a column is NULL. */
export type FilterPart =
  | { readonly kind: 'sql'; readonly text: string }
  | { readonly kind: 'column'; readonly column: ColumnDefinition }
  | { readonly kind: 'value'; readonly column: ColumnDefinition; readonly text: string }
  | { readonly kind: 'cast'; readonly value: ReturnType<typeof bound> }
  | { readonly kind: 'null'; readonly column: ColumnDefinition }

/** Which rows of a source a pipeline is about. */
export type RowFilter = readonly FilterPart[]

/**
 * Conditions as ActiveRecord takes them, with each value held against the field that it is compared with. Throws
 * `Configuration` for a value that is none of its field's, and for one that nothing says the type of.
 */
export function rowFilterOf(conditions: ConditionsOf<Fields>, definition: TableDefinition, what: string): RowFilter {
  try {
    checkConditions(conditions)
    return Array.isArray(conditions)
      ? filterOfSql(conditions as never, definition)
      : filterOfObject(conditions as Readonly<Record<string, unknown>>, definition)
  } catch (error) {
    if (error instanceof ConfigurationError || error instanceof DataQualityError)
      throw new ConfigurationError(`${what}: ${error.message}`, { cause: error })
    throw error
  }
}

/**
 * Whether rows are chosen by a field alone or together with others, so that none with another value of it is read; not
 * where the conditions have alternatives.
 */
export function isChosenBy(filter: RowFilter, { name, column }: ColumnDefinition): boolean {
  const words = filter.map((part) => (part.kind === 'sql' ? part.text.trim().toLowerCase() : ''))
  if (words.includes('or')) return false
  const names = [column, `"${column}"`, `\`${column}\``].map((one) => one.toLowerCase())
  return (
    words.some((word) => names.includes(word)) || filter.some((part) => 'column' in part && part.column.name === name)
  )
}

function filterOfObject(conditions: Readonly<Record<string, unknown>>, definition: TableDefinition): RowFilter {
  const parts = Object.entries(conditions).flatMap(([name, value]): FilterPart[] => {
    const column = columnOf(definition, name)
    const values = [value].flat().map((one) => defined(name, one))
    if (values.length === 0)
      throw new ConfigurationError(`the list of ${name} is empty, so no row would be read; give the values`)
    const present = values.filter((one) => one !== null).map((one) => filterValue(column, one))
    const list = present.flatMap((part, index) => (index === 0 ? [part] : [code(', '), part]))
    const among = present.length === 0 ? [] : [{ kind: 'column', column } as const, code(' in ('), ...list, code(')')]
    const missing = present.length === values.length ? [] : [{ kind: 'null', column } as const]
    const either = among.length > 0 && missing.length > 0 ? [code(' or ')] : []
    return [code(' and '), code('('), ...among, ...either, ...missing, code(')')]
  })
  if (parts.length === 0)
    throw new ConfigurationError('it says nothing; give a field and its value, or leave it out to read all rows')
  return parts.slice(1)
}

function code(text: string): FilterPart {
  return { kind: 'sql', text }
}

const WHOLE_NUMBERS = new Set(['integer', 'bigint', 'decimal'])
const DIGITS = /^-?\d+(?:\.\d+)?$/

function filterValue(column: ColumnDefinition, given: unknown): FilterPart {
  const value = ofItsField(column, given)
  if (column.field.settings.kind === 'json')
    throw new ConfigurationError(
      `${column.name} is a JSON document, which engines compare in different ways; compare a part of it as text, as in ["cast(${column.column} as char(20)) = cast(? as char(20))", …]`,
    )
  const text = valueToText(column, value)
  const { kind } = column.field.settings
  if (text !== null && WHOLE_NUMBERS.has(kind) && !DIGITS.test(text))
    throw new ConfigurationError(`${column.name} is compared with ${text}; write a number with all of its digits`)
  if (text !== null && kind === 'double' && !Number.isFinite(Number(text)))
    throw new ConfigurationError(`${column.name} is compared with ${text}, which not every engine has; write a number`)
  if (text !== null) return { kind: 'value', column, text }
  throw new ConfigurationError(`${column.name} is compared with NULL, which is true of no row; write "is null"`)
}

/** Numbers of SQL conditions are often given as texts, and those of a bigint as numbers. */
function ofItsField({ field: { settings } }: ColumnDefinition, given: unknown): unknown {
  if (settings.kind === 'bigint' && Number.isSafeInteger(given)) return BigInt(given as number)
  const isNumber = settings.kind === 'bigint' || settings.kind === 'integer' || settings.kind === 'double'
  return isNumber && typeof given === 'string' ? settings.cast(given) : given
}

const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|<=>|<=|>=|<>|!=|[\p{L}_][\p{L}\p{N}_$]*|\s+|[\s\S]/gu
const COMPARES = new Set(['=', '<', '>', '<=', '>=', '<>', '!=', '<=>'])
/** What may stand before a comparison, and behind it: then nothing else is part of it. */
const BEFORE = new Set([undefined, '(', 'and', 'or', 'not', 'when'])
const BEHIND = new Set([undefined, ')', 'and', 'or', 'then', 'else', 'end'])

interface Token {
  readonly text: string
  readonly word: string
  /** The place of the value, of a `?`. */
  readonly value: number | null
}

/** Each `?` is compared with a column, whose field says what its value may be, or stands in a cast. */
function filterOfSql([text, ...values]: readonly [string, ...unknown[]], definition: TableDefinition): RowFilter {
  const chance = chanceIn(text)
  if (chance !== undefined)
    throw new ConfigurationError(
      `"${text}" chooses rows by chance (${chance}), so that each run, and each look of one, would be about other rows; choose them by what they hold`,
    )
  let next = 0
  const all = checkedParts(text, values)
    .flatMap((part): string[] => part.match(TOKEN) ?? [])
    .map((one): Token => ({ text: one, word: one.toLowerCase(), value: one === '?' ? next++ : null }))
  const tokens = all.filter((one) => one.word.trim() !== '')
  const parts = new Map<Token, FilterPart>()
  for (const [place, token] of tokens.entries()) {
    if (/^["`]./s.test(token.text)) parts.set(token, { kind: 'column', column: quotedColumn(definition, token.text) })
    if (token.value === null) continue
    const value = defined(text, values[token.value])
    if (isCast(tokens, place)) parts.set(token, { kind: 'cast', value: bound(value) })
    else {
      const name = comparedAt(tokens, place)
      const column = name === undefined ? undefined : columnNamed(definition, name.text)
      if (name === undefined || column === undefined) throw untyped(text, definition, name?.text)
      parts.set(name, { kind: 'column', column })
      parts.set(token, filterValue(column, value))
    }
  }
  return [code('('), ...all.map((token) => parts.get(token) ?? code(token.text)), code(')')]
}

function isCast(tokens: readonly Token[], place: number): boolean {
  const [open, cast, as] = [tokens[place - 1], tokens[place - 2], tokens[place + 1]]
  return open?.word === '(' && cast?.word === 'cast' && as?.word === 'as'
}

/** The name that the value of this place is compared with, where that is all of the comparison. */
function comparedAt(tokens: readonly Token[], place: number): Token | undefined {
  const word = (at: number) => tokens[at]?.word
  const isBare = (from: number, to: number) => BEFORE.has(word(from - 1)) && BEHIND.has(word(to + 1))
  const found = (at: number, to: number) => (isBare(at, to) ? tokens[at] : undefined)
  const beforeNot = (at: number) => (word(at) === 'not' ? at - 1 : at)
  if (COMPARES.has(word(place - 1) ?? '')) return found(place - 2, place)
  if (COMPARES.has(word(place + 1) ?? '')) return isBare(place, place + 2) ? tokens[place + 2] : undefined
  if (word(place - 1) === 'like') return found(beforeNot(place - 2), place)
  if (word(place - 1) === 'between') {
    const isRange = word(place + 1) === 'and' && tokens[place + 2]?.value !== null
    return isRange ? found(beforeNot(place - 2), place + 2) : undefined
  }
  if (word(place - 1) === 'and' && word(place - 3) === 'between' && tokens[place - 2]?.value !== null)
    return found(beforeNot(place - 4), place)
  let [from, to] = [place, place]
  while (word(from - 1) === ',' && word(from - 2) === '?') from -= 2
  while (word(to + 1) === ',' && word(to + 2) === '?') to += 2
  const isList = word(from - 1) === '(' && word(from - 2) === 'in' && word(to + 1) === ')'
  return isList ? found(beforeNot(from - 3), to + 1) : undefined
}

/** By its name as SQL writes it: in quotes as it is, otherwise whatever its capitals. */
function columnNamed({ columns }: TableDefinition, text: string): ColumnDefinition | undefined {
  const isQuoted = /^["`]/.test(text)
  const name = isQuoted ? text.slice(1, -1).replaceAll(text[0] === '"' ? '""' : '``', text[0] as string) : text
  const same = columns.find(({ column }) => column === name)
  return same ?? (isQuoted ? undefined : columns.find(({ column }) => column.toLowerCase() === name.toLowerCase()))
}

/** An engine may take a name that it does not know for a text. */
function quotedColumn(definition: TableDefinition, text: string): ColumnDefinition {
  const column = columnNamed(definition, text)
  if (column !== undefined) return column
  throw new ConfigurationError(
    `${text} is no column of ${definition.table} that the model knows; write its name as the table has it, and a text in single quotes`,
  )
}

function untyped(text: string, { byName, table }: TableDefinition, name: Text | undefined): ConfigurationError {
  const property = name === undefined || name === null ? undefined : byName.get(name)
  const what =
    property === undefined
      ? `a ? of "${text}" is not compared with a column of ${table} that the model knows, so nothing says what its value is, and an engine may take a text for a number`
      : `"${text}" names the property ${name}, and SQL names columns`
  const remedy =
    property === undefined
      ? "write column = ?, column in (?, ?), column between ? and ?, or cast(? as …) with the engine's type"
      : `write ${property.column}`
  return new ConfigurationError(`${what}; ${remedy}`)
}
