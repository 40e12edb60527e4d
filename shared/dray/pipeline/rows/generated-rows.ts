import { bulkColumns, rowEncoder } from '#dray/active-record/bulk.ts'
import type { SourceRecord } from '#dray/active-record/record.ts'
import { type ColumnDefinition, columnOf, textToValue, valueToText } from '#dray/active-record/table-definition.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import type { Text } from '#dray/block/block.ts'
import { encodeLine } from '#dray/block/copy-text.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import type { AnySource, AnyTarget } from '#dray/pipeline/declare/any-model.ts'

type Attributes = Readonly<Record<string, unknown>>
type Encoded = ReturnType<ReturnType<typeof rowEncoder>>

/** What differs between the runs of a pipeline. */
export interface RunOfRows {
  /** The encoder of the models, which says what is wrong with a row. */
  readonly slow: (attributes: Attributes) => Encoded
  /** By place of a column: what is written when nothing is given. */
  readonly untold: readonly Text[]
}

/** Reads and encodes the rows of one pipeline. */
export interface RowCode {
  /** A record of the source; of a row that has a text for each column. */
  read(row: readonly Text[]): SourceRecord
  /** What the transform made of the record as the texts of the target's columns. */
  encode(record: SourceRecord, attributes: Attributes, run: RunOfRows): Encoded
}

export function runOfRows({ definition }: AnyTarget, touchedAt: Timestamp): RunOfRows {
  const untold = bulkColumns(definition).map((column) =>
    column.field.settings.isTouched ? valueToText(column, touchedAt) : null,
  )
  return { slow: rowEncoder(definition, touchedAt), untold }
}

/** Made once: code that is new is slow. */
const codes = new WeakMap<AnySource, WeakMap<AnyTarget, RowCode | null>>()

/** Their value is the text itself. */
const TEXTS = new Set<FieldKind>(['text', 'varchar', 'json', 'uuid'])
/** Their value is a text, which is written as it is. */
const CHECKED_TEXTS = new Set<FieldKind>(['date', 'timestamp', 'decimal'])
/** Their value never changes, so that it can be kept. */
const KEPT = new Set<FieldKind>([...CHECKED_TEXTS, 'bigint', 'integer', 'double', 'boolean'])
/** A class with as many fields is slow to make. */
const MOST_COLUMNS = 100

/**
 * Generates the code that takes the rows of a pipeline through its models, where each field has its place, its cast and
 * its rules: several times as quick as code that looks them up. A value that the transform passes on is not looked at
 * again, and whatever is not as it should be goes to the encoder of the models, which says why. Null for a model that
 * it cannot stand in for.
 */
export function rowCode(source: AnySource, target: AnyTarget): RowCode | null {
  const ofSource = codes.get(source) ?? new WeakMap<AnyTarget, RowCode | null>()
  codes.set(source, ofSource)
  const known = ofSource.get(target)
  if (known !== undefined) return known
  const made = generateRows(source, target)
  ofSource.set(target, made)
  return made
}

function generateRows(source: AnySource, target: AnyTarget): RowCode | null {
  if (source.definition.columns.length > MOST_COLUMNS) return null
  const read = source.definition.columns.filter((column) => hasOwnAccessor(source, column.name))
  const targets = bulkColumns(target.definition)
  const known = {
    source,
    columns: read,
    casts: read.map(({ field }) => field.settings.cast),
    valueOf: textToValue,
    settings: targets.map(({ field }) => field.settings),
    check: (name: string) => columnOf(target.definition, name),
  }
  const written = targets.map((column, place) => encoding(column, place, read))
  const others = target.definition.columns
    .filter((column) => !targets.includes(column))
    .map(({ name }) => `attributes[${JSON.stringify(name)}] === undefined`)
  const code = new Function(
    'known',
    `'use strict'
    const { source, columns, casts, valueOf, settings, check } = known
    ${read.map((_, place) => `const cast${place} = casts[${place}];`).join('\n')}
    ${targets.map((column, place) => constants(column, place)).join('\n')}
    let names = []
    function checked(attributes) {
      const given = []
      for (const name in attributes) { check(name); given.push(name) }
      names = given
    }
    return class extends source {
      #row = null
      ${read.map((_, place) => `#value${place}`).join('\n')}
      static read(row) {
        const record = this.instantiate(row)
        record.#row = row
        return record
      }
      ${read.map((column, place) => accessor(source, column, place)).join('\n')}
      static encode(record, attributes, run) {
        let place = 0
        for (const name in attributes) if (name !== names[place++]) { checked(attributes); break }
        const row = record.#row
        if (row === null || !(${['true', ...others].join(' && ')})) return run.slow(attributes)
        try {
          ${written.join('\n')}
          return { texts: [${written.map((_, nth) => `text${nth}`).join(', ')}] }
        } catch {
          return run.slow(attributes)
        }
      }
    }`,
  ) as (values: typeof known) => RowCode & (new () => SourceRecord)
  const made = code(known)
  Object.defineProperty(made, 'name', { value: source.name })
  for (const { name } of read) Object.defineProperty(made.prototype, name, { enumerable: true })
  return isMade(made) ? made : null
}

/** A constructor that reads its own fields would find them missing. */
function isMade(made: new () => SourceRecord): boolean {
  try {
    return new made() instanceof made
  } catch {
    return false
  }
}

/** Whether a field is read by the accessor that its model was given, and not by one of the user's. */
function hasOwnAccessor(source: AnySource, name: string): boolean {
  for (let made = source; made?.prototype; made = Object.getPrototypeOf(made)) {
    if (Object.hasOwn(made, 'definition')) return Object.hasOwn(made.prototype, name)
    if (Object.hasOwn(made.prototype, name)) return false
  }
  return false
}

function accessor(source: AnySource, { name, index, field }: ColumnDefinition, place: number): string {
  const property = JSON.stringify(name)
  const { kind } = field.settings
  const kept = KEPT.has(kind)
  const value = TEXTS.has(kind)
    ? 'return text'
    : `try {
        return ${kept ? `this.#value${place} = ` : ''}cast${place}(text)
      } catch {
        return valueOf(columns[${place}], text)
      }`
  const getter = `get [${property}]() {
      const row = this.#row
      if (row === null) return super[${property}]
      ${kept ? `if (this.#value${place} !== undefined) return this.#value${place}` : ''}
      const text = row[${index}]
      if (text === null) return null
      ${value}
    }`
  if (source.definition.readOnly) return getter
  // From then on the record itself knows its values.
  return `${getter}
    set [${property}](value) {
      super[${property}] = value
      this.#row = null
    }`
}

function constants({ field }: ColumnDefinition, place: number): string {
  const rules = field.settings.rules.map((_, nth) => `const rule${place}_${nth} = settings[${place}].rules[${nth}];`)
  return `${rules.join('\n')}
    const toText${place} = settings[${place}].toText;`
}

/** The statements that make the text of one column. */
function encoding({ name, field }: ColumnDefinition, place: number, read: readonly ColumnDefinition[]): string {
  const { kind, isNullable, isOptional, rules } = field.settings
  const value = `value${place}`
  const missing =
    isNullable || isOptional
      ? `text${place} = ${value} === null ? null : run.untold[${place}]`
      : 'return run.slow(attributes)'
  const broken = rules.map((_, nth) => `if (rule${place}_${nth}(${value}) !== null) return run.slow(attributes)`)
  return `let text${place}
    const ${value} = attributes[${JSON.stringify(name)}]
    if (${value} === null || ${value} === undefined) {
      ${missing}
    } else {
      ${broken.join('\n')}
      ${textOf(kind, place, name, read)}
    }`
}

function textOf(kind: FieldKind, place: number, name: string, read: readonly ColumnDefinition[]): string {
  const value = `value${place}`
  const made = `toText${place}(${value})`
  const from = read.findIndex((column) => column.name === name && column.field.settings.kind === kind)
  if (from >= 0 && CHECKED_TEXTS.has(kind))
    return `text${place} = ${value} === record.#value${from} ? ${value} : ${made}`
  if (from < 0 || kind !== 'bigint') return `text${place} = ${made}`
  // Digits without a sign or a zero before them are written as they were read.
  const text = `row[${(read[from] as ColumnDefinition).index}]`
  return `text${place} = ${value} === record.#value${from} && ${text}.charCodeAt(0) > 48 ? ${text} : ${made}`
}

const MAY_BE_ESCAPED = new Set<FieldKind>([...TEXTS, 'binary'])

/** Generates the function that writes texts of the target's columns as a line of COPY text, without its end. */
export function lineEncoder(target: AnyTarget): (texts: readonly Text[]) => string {
  const fields = bulkColumns(target.definition).map(({ field }, place) => {
    const text = `texts[${place}]`
    const written = MAY_BE_ESCAPED.has(field.settings.kind)
      ? `(escaped.test(${text}) ? encode([${text}]) : ${text})`
      : text
    return `\${${text} === null ? '\\\\N' : ${written}}`
  })
  return new Function('encode', 'escaped', `return (texts) => \`${fields.join('\\t')}\``)(encodeLine, /[\\\t\n\r]/)
}
