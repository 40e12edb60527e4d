import { bulkColumns, rowEncoder } from '#dray/active-record/bulk.ts'
import { ownFieldsOf, withOwnFields } from '#dray/active-record/own-fields.ts'
import { internals, type SourceRecord } from '#dray/active-record/record.ts'
import { type ColumnDefinition, columnOf, valueToText } from '#dray/active-record/table-definition.ts'
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
const codes = new WeakMap<AnySource, WeakMap<AnyTarget, RowCode>>()

/** Their value is the text itself. */
const TEXTS = new Set<FieldKind>(['text', 'varchar', 'json', 'uuid'])
/** Their value is a text, which is written as it is. */
const CHECKED_TEXTS = new Set<FieldKind>(['date', 'timestamp', 'decimal'])
/** Their value never changes, so that it can be kept. */
const KEPT = new Set<FieldKind>([...CHECKED_TEXTS, 'bigint'])
/** Of a record with more, none is kept: a class with as many private fields is slow to make. */
const MOST_KEPT = 100

/**
 * Generates the code that takes the rows of a pipeline through its models, where each field has its place, its cast and
 * its rules: several times as quick as code that looks them up. A value that the transform passes on is not looked at
 * again, and whatever is not as it should be goes to the code of the models, which says why.
 */
export function rowCode(source: AnySource, target: AnyTarget): RowCode {
  const ofSource = codes.get(source) ?? new WeakMap<AnyTarget, RowCode>()
  codes.set(source, ofSource)
  const known = ofSource.get(target)
  if (known !== undefined) return known
  const made = generateRows(source, target)
  ofSource.set(target, made)
  return made
}

function generateRows(source: AnySource, target: AnyTarget): RowCode {
  const { columns } = source.definition
  const read = ownFieldsOf(source.instantiate([]) as SourceRecord).plain
  const others = columns.filter((column) => !read.includes(column))
  const kept = read.filter(({ field }) => columns.length <= MOST_KEPT && KEPT.has(field.settings.kind))
  const targets = bulkColumns(target.definition)
  const known = {
    source,
    casts: columns.map(({ field }) => field.settings.cast),
    settings: targets.map(({ field }) => field.settings),
    check: (name: string) => columnOf(target.definition, name),
    takeRow: internals.take,
    readSlowly: (row: readonly Text[]) => source.instantiate(row),
    withOthers: (record: SourceRecord) => withOwnFields(record, others),
  }
  const written = targets.map((column, place) => encoding(column, place, kept))
  const unwritten = target.definition.columns
    .filter((column) => !targets.includes(column))
    .map(({ name }) => `attributes[${JSON.stringify(name)}] === undefined`)
  const code = new Function(
    'known',
    `'use strict'
    const { source, casts, settings, check, takeRow, readSlowly, withOthers } = known
    ${read.map(({ index }) => `const cast${index} = casts[${index}];`).join('\n')}
    ${targets.map((column, place) => constants(column, place)).join('\n')}
    let names = []
    function checked(attributes) {
      const given = []
      for (const name in attributes) { check(name); given.push(name) }
      names = given
    }
    // The row of the record that is being made.
    let row = null
    return class extends source {
      #row = row;
      ${read.map((column) => property(column)).join('\n')}
      ${kept.map(({ name, index }) => `#kept${index} = this[${JSON.stringify(name)}];`).join('\n')}
      static read(texts) {
        let record
        row = texts
        try {
          record = new this()
        } catch {
          return readSlowly(texts)
        } finally {
          row = null
        }
        takeRow(record, texts)
        return ${read.length === columns.length ? 'record' : 'withOthers(record)'}
      }
      static encode(record, attributes, run) {
        let place = 0
        for (const name in attributes) if (name !== names[place++]) { checked(attributes); break }
        if (!(#row in record && ${['true', ...unwritten].join(' && ')})) return run.slow(attributes)
        const row = record.#row
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
  return made
}

/** A field of a record, with the value that its text says: own and enumerable, as those of any object. */
function property({ name, index, field }: ColumnDefinition): string {
  const text = `row[${index}]`
  const value = TEXTS.has(field.settings.kind) ? text : `${text} === null ? null : cast${index}(${text})`
  return `[${JSON.stringify(name)}] = row === null ? undefined : ${value};`
}

function constants({ field }: ColumnDefinition, place: number): string {
  const rules = field.settings.rules.map((_, nth) => `const rule${place}_${nth} = settings[${place}].rules[${nth}];`)
  return `${rules.join('\n')}
    const toText${place} = settings[${place}].toText;`
}

/** The statements that make the text of one column. */
function encoding({ name, field }: ColumnDefinition, place: number, kept: readonly ColumnDefinition[]): string {
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
      ${textOf(kind, place, name, kept)}
    }`
}

function textOf(kind: FieldKind, place: number, name: string, kept: readonly ColumnDefinition[]): string {
  const value = `value${place}`
  const made = `toText${place}(${value})`
  const from = kept.find((column) => column.name === name && column.field.settings.kind === kind)
  if (from === undefined) return `text${place} = ${made}`
  const isPassedOn = `${value} === record.#kept${from.index}`
  if (kind !== 'bigint') return `text${place} = ${isPassedOn} ? ${value} : ${made}`
  // Digits without a sign or a zero before them are written as they were read.
  const text = `row[${from.index}]`
  return `text${place} = ${isPassedOn} && ${text}.charCodeAt(0) > 48 ? ${text} : ${made}`
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
