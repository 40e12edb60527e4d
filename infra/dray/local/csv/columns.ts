import { date, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import { type ColumnDefinition, textToValue, valueToText } from 'dray/internal/active-record/table-definition.ts'
import { validateValue } from 'dray/internal/active-record/validations.ts'
import type { Text } from 'dray/internal/block/block.ts'
import type { Adapter, LiveColumn, LiveTable } from 'dray/internal/database/adapter.ts'
import { ConfigurationError, DataQualityError } from 'dray/internal/errors.ts'

/** A column of the file, and what makes the text of its column in the table of a field. */
export interface ImportedColumn {
  readonly column: string
  readonly model: ColumnDefinition | null
  /** Its values are texts as the file has them: the database is to say whether its type holds them as they are. */
  readonly isText: boolean
  /** Throws `DataQuality` for what the column is not to hold. */
  readonly textOf: (field: string | null) => Text
}

/** What a file is imported into; neither is there for a table that is made with text columns. */
export interface ImportTarget {
  /** `database.table`, for messages. */
  readonly where: string
  readonly model: ModelTable | null
  readonly live: LiveTable | null
  readonly adapter: Adapter
}

/**
 * The columns that the header names: by the model where it has them, by the live table else. Throws `Configuration` for
 * names that are blank, come twice or are not known, and where a column is missing that a row must have.
 */
export function importedColumns(file: string, header: readonly string[], target: ImportTarget): ImportedColumn[] {
  const blank = header.indexOf('')
  if (blank >= 0) {
    throw new ConfigurationError(
      `${file}: column ${blank + 1} of the header has no name, so nothing is imported; the first line must name the columns: write the name there, or leave the column out.`,
    )
  }
  const known = columnNames(target)
  const names = header.map((name) => nameAmong(known, name))
  const unknown = names.filter((name) => known !== null && !known.includes(name))
  if (unknown.length > 0) {
    throw new ConfigurationError(
      `${file}: ${target.where} has no column ${named(unknown)}, so nothing is imported; its columns are ${named(known ?? [])}: rename it in the header, or add it to the table${target.model === null ? '' : ' and its model'}; where the first line is a row, say --columns, and where lines stand above the header, --skip-lines.`,
    )
  }
  const twice = header.find((_, index) => isTwice(names, index, known))
  if (twice !== undefined) {
    throw new ConfigurationError(
      `${file}: the header names the column ${named([twice])} twice, so nothing is imported; rename one.`,
    )
  }
  refuseMissing(file, names, target)
  return names.map((name) => columnOf(name, target))
}

/** The names that a header may have; null where the table is made of the header. */
export function columnNames({ model, live }: Pick<ImportTarget, 'model' | 'live'>): readonly string[] | null {
  if (live !== null) return live.columns.map(({ name }) => name)
  return model?.definition.columnNames ?? null
}

const MOST_NAMES = 20
const MOST_CHARACTERS = 100

/**
 * As many names as a sentence bears, and as much of each: a file that is read wrongly may have a header of a megabyte.
 */
export function named(names: readonly string[]): string {
  const some = names
    .slice(0, MOST_NAMES)
    .map((name) => (name.length > MOST_CHARACTERS ? `${name.slice(0, MOST_CHARACTERS)}…`.toWellFormed() : name))
  const left = names.length - some.length
  return `${some.join(', ')}${left > 0 ? ` and ${left} more` : ''}`
}

/** The column as it is written, or the only one that differs in capitals alone. */
function nameAmong(known: readonly string[] | null, name: string): string {
  if (known === null || known.includes(name)) return name
  const alike = known.filter((column) => column.toLowerCase() === name.toLowerCase())
  return alike.length === 1 ? (alike[0] as string) : name
}

/** Names that differ in capitals alone are one to some engines. */
function isTwice(names: readonly string[], index: number, known: readonly string[] | null): boolean {
  const form = (name: string | undefined) => (known === null ? name?.toLowerCase() : name)
  return names.findIndex((name) => form(name) === form(names[index])) !== index
}

function refuseMissing(file: string, names: readonly string[], { where, model, live }: ImportTarget): void {
  const ofModel = (model?.definition.columns ?? [])
    .filter(({ field: { settings } }) => !settings.isNullable && !settings.isOptional)
    .map(({ column }) => column)
  const required =
    live === null ? ofModel : live.columns.filter((one) => isRequired(one, model)).map(({ name }) => name)
  const missing = required.filter((column) => !names.includes(column))
  if (missing.length === 0) return
  throw new ConfigurationError(
    `${file} has no column ${missing.join(', ')}, without which ${where} takes no row, so nothing is imported; add it to the file, or give it a default.`,
  )
}

function isRequired({ name, nullable, hasDefault }: LiveColumn, model: ModelTable | null): boolean {
  const settings = model?.definition.columns.find(({ column }) => column === name)?.field.settings
  if (settings?.isTouched || settings?.isGenerated) return false
  return !nullable && !hasDefault
}

function columnOf(column: string, { model, live, adapter }: ImportTarget): ImportedColumn {
  const definition = model?.definition.columns.find((one) => one.column === column) ?? null
  if (definition !== null) {
    return { column, model: definition, isText: isText(definition), textOf: byModel(definition) }
  }
  const type = live?.columns.find(({ name }) => name === column)?.type
  return {
    column,
    model: null,
    ...(type === undefined ? { isText: true, textOf: asItIs } : byType(column, type, adapter)),
  }
}

const asItIs = (field: string | null): Text => field

function isText({ field }: ColumnDefinition): boolean {
  const { kind } = field.settings
  return kind === 'text' || kind === 'varchar' || kind === 'json'
}

/** What the model makes of it: cast, held against the rules, written as the database reads it. */
function byModel(column: ColumnDefinition): ImportedColumn['textOf'] {
  const { kind } = column.field.settings
  const isKept = isText(column)
  return (field) => {
    const text = field === null || isKept ? field : field.trim()
    if (kind === 'double' && text !== null) refuseLostDigits(column.name, text)
    const value = textToValue(column, kind === 'boolean' ? (text?.toLowerCase() ?? null) : text)
    const error = validateValue(column, value)
    if (error !== null) throw new DataQualityError(error.field, error.code, `${error.field}: ${error.message}`)
    return valueToText(column, value)
  }
}

/** A double holds every number of 17 digits, or of fewer, in a way that gives them back. */
const DOUBLE_DIGITS = 17

function refuseLostDigits(name: string, text: string): void {
  const [, whole = '', fraction = ''] = /^[+-]?(\d*)\.?(\d*)(?:e[+-]?\d+)?$/i.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+|0+$/g, '')
  const isNumber = whole !== '' || fraction !== '' || /^[+-]?(?:NaN|Infinity)$/.test(text)
  if (isNumber && digits.length <= DOUBLE_DIGITS) return
  const what = isNumber ? 'has more digits than a double holds' : 'is not a double'
  throw new DataQualityError(name, 'invalid_double', `${name}: ${JSON.stringify(text)} ${what}`)
}

const IS_NO_TEXT = /int|(?<!e)num|dec|real|double|float|^date|time|bool|uuid/i
const HAS_OFFSET = /(?:[+-]\d{2}(?::?\d{2}){0,2}|Z|\b[A-Z]{3,4})\s*$/i

/**
 * What the database makes of it, which a merge holds against what was given; but for dates and time stamps, which a
 * database reads in its own order of day and month, or without the offset that it cannot keep.
 */
function byType(column: string, type: string, adapter: Adapter): Pick<ImportedColumn, 'isText' | 'textOf'> {
  const trimmed = (field: string | null) => (IS_NO_TEXT.test(type) ? (field?.trim() ?? null) : field)
  if (adapter.schema.liveTypes === null) return { isText: true, textOf: byDeclaredType(column, type, trimmed) }
  const form = /^date$/i.test(type) ? 'date' : adapter.stampForm(type)
  if (form === 'text') return { isText: true, textOf: trimmed }
  const read = form === 'date' ? date().settings.cast : timestamp().settings.cast
  const textOf = (field: string | null) => {
    const text = trimmed(field)
    if (text === null) return null
    if (form === 'local' && HAS_OFFSET.test(text.slice(10)) && !text.endsWith('BC')) {
      throw new DataQualityError(
        column,
        'offset',
        `${column}: ${JSON.stringify(text)} has an offset, which ${type} cannot keep; a model with timestamp() keeps the moment, in UTC`,
      )
    }
    try {
      return read(text)
    } catch (error) {
      if (!(error instanceof DataQualityError)) throw error
      throw new DataQualityError(column, error.code, `${column}: ${error.message}`, { cause: error })
    }
  }
  return { isText: false, textOf }
}

const NUMERAL = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|Infinity)$/i
const CLOCK = /^\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/

function isRead(read: (text: string) => unknown, text: string): boolean {
  try {
    read(text)
    return true
  } catch (error) {
    if (error instanceof DataQualityError) return false
    throw error
  }
}

/** By the words of a type that is declared where a column would hold anything, the first that is found. */
const DECLARED: readonly (readonly [RegExp, (text: string) => boolean])[] = [
  [/INT|CHAR|CLOB|TEXT|BLOB|^$/i, () => true],
  [/^date$/i, (text) => isRead(date().settings.cast, text)],
  [/^(?:datetime|timestamp)/i, (text) => isRead(timestamp().settings.cast, text)],
  [/^time\b/i, (text) => CLOCK.test(text)],
  [/^bool/i, (text) => /^(?:0|1|t|f|true|false)$/i.test(text)],
  [/REAL|FLOA|DOUB|NUMERIC|^NUMBER|DEC/i, (text) => NUMERAL.test(text)],
]

/** The field as it is, if the type that the column was declared with has it. */
function byDeclaredType(column: string, type: string, trimmed: ImportedColumn['textOf']): ImportedColumn['textOf'] {
  const [, isOfType] = DECLARED.find(([words]) => words.test(type)) ?? []
  return (field) => {
    const text = trimmed(field)
    if (text === null || isOfType === undefined || isOfType(text)) return text
    throw new DataQualityError(column, 'invalid', `${column}: ${JSON.stringify(text)} is no ${type}`)
  }
}
