import type { Text } from '#dray/block/block.ts'
import { unescapeField } from '#dray/block/copy-text.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { ColumnDefinition, RecordRow, TableDefinition } from './table-definition.ts'

/** Their value is the text itself. */
const TEXTS = new Set<FieldKind>(['text', 'varchar', 'json', 'uuid'])

/** Gives records of one class their fields as own, enumerable properties: code that is generated once for the class. */
export interface OwnFields {
  /** The fields that the model's accessors read; for the others the class has accessors itself. */
  readonly plain: readonly ColumnDefinition[]
  /** Those of a new record, from the row that it was made of: its texts, or the line that they are in. */
  give(record: object, row: RecordRow | string): void
  /** Those of a record whose row is another one now. */
  renew(record: object, row: RecordRow): void
  /** One that has been set. */
  set(record: object, column: ColumnDefinition, value: unknown): void
}

const known = new WeakMap<object, OwnFields>()

/** The code of a record's class. Throws `Configuration` for a class whose own fields hide those of the model. */
export function ownFieldsOf(record: object): OwnFields {
  const made = known.get(record.constructor)
  return made ?? makeOwnFields(record)
}

function makeOwnFields(record: object): OwnFields {
  const { definition } = record.constructor as unknown as { readonly definition: TableDefinition }
  refuseHiddenAccessors(record.constructor, Object.keys(record), definition.byName)
  const plain = definition.columns.filter(({ name }) => hasModelAccessor(record, name))
  const others = definition.columns.filter((column) => !plain.includes(column))
  const quick = generate(definition.columns, plain)
  const slowly = (into: object, row: RecordRow | string) => {
    const texts = typeof row === 'string' ? row.split('\t').map(unescapeField) : row
    for (const column of plain) slowlyOne(into, column, texts[column.index])
  }
  const fields: OwnFields = {
    plain,
    give(into, row) {
      try {
        if (typeof row !== 'string')
          (row.length < definition.columns.length || row.includes(undefined) ? slowly : quick.ofTexts)(into, row)
        else if (row.includes('\\')) quick.ofEscapedLine(into, row)
        else quick.ofLine(into, row)
      } catch {
        slowly(into, row)
      }
      if (others.length > 0)
        withOwnFields(
          into,
          others.filter(({ index }) => typeof row === 'string' || row[index] !== undefined),
        )
    },
    renew: slowly,
    set(into, column, value) {
      if (plain.includes(column)) define(into, column.name, value)
    },
  }
  known.set(record.constructor, fields)
  return fields
}

/** Refuses a model with a class field that hides an accessor. */
function refuseHiddenAccessors(model: object, own: readonly string[], fields: ReadonlyMap<string, unknown>): void {
  const hidden = own.find((name) => fields.has(name))
  if (hidden === undefined) return
  throw new ConfigurationError(
    `${(model as { name: string }).name} declares a class field "${hidden}", which hides the column's value; remove it (use \`declare\` or an accessor)`,
  )
}

/** Whether a field is read by the accessor that its model was given, and not by one of the user's. */
function hasModelAccessor(record: object, name: string): boolean {
  for (let from = Object.getPrototypeOf(record); from !== null; from = Object.getPrototypeOf(from)) {
    if (Object.hasOwn(from, name)) return Object.hasOwn(from.constructor, 'definition')
  }
  return false
}

function define(record: object, name: string, value: unknown): void {
  Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true })
}

/** A text that its field refuses has an accessor, which says so when it is asked for. */
function slowlyOne(record: object, column: ColumnDefinition, text: Text | undefined): void {
  const { name, field } = column
  if (text === undefined) {
    Reflect.deleteProperty(record, name)
    return
  }
  try {
    define(record, name, text === null ? null : field.settings.cast(text))
  } catch {
    withOwnFields(record, [column])
  }
}

interface Quick {
  ofTexts(record: object, texts: RecordRow): void
  ofLine(record: object, line: string): void
  ofEscapedLine(record: object, line: string): void
}

/** Classes that define their fields on the object that their constructor takes: the quickest way there is. */
function generate(columns: readonly ColumnDefinition[], plain: readonly ColumnDefinition[]): Quick {
  const castOf = ({ index, field }: ColumnDefinition, text: string) =>
    TEXTS.has(field.settings.kind) ? text : `cast${index}(${text})`
  const orNull = (column: ColumnDefinition, text: string) =>
    `(text = ${text}) === null ? null : ${castOf(column, 'text')}`
  const define = (column: ColumnDefinition, value: string) => `[${JSON.stringify(column.name)}] = ${value};`
  const inLine = (each: (column: ColumnDefinition, text: string) => string) => {
    let skipped = ''
    return columns.map((column, place) => {
      const isLast = place === columns.length - 1
      const find = `${skipped}begin = start, ${isLast ? '' : `end = line.indexOf('\\t', begin), start = end + 1, `}`
      if (!plain.includes(column)) {
        skipped = find
        return ''
      }
      skipped = ''
      return define(column, `(${find}${each(column, isLast ? 'line.slice(begin)' : 'line.slice(begin, end)')})`)
    })
  }
  return new Function(
    'casts',
    'unescape',
    `'use strict'
    ${plain.map(({ index }) => `const cast${index} = casts[${index}];`).join('\n')}
    let texts, line, text, begin, start, end
    function Given(record) { return record }
    class OfTexts extends Given {
      ${plain.map((column) => define(column, orNull(column, `texts[${column.index}]`))).join('\n')}
    }
    class OfLine extends Given {
      ${inLine(castOf).join('\n')}
    }
    class OfEscapedLine extends Given {
      ${inLine((column, found) => orNull(column, `unescape(${found})`)).join('\n')}
    }
    return {
      ofTexts(record, given) { texts = given; new OfTexts(record) },
      ofLine(record, given) { line = given; start = 0; new OfLine(record) },
      ofEscapedLine(record, given) { line = given; start = 0; new OfEscapedLine(record) },
    }`,
  )(
    columns.map(({ field }) => field.settings.cast),
    unescapeField,
  ) as Quick
}

/** Gives a record own fields that are read by the accessors of its class. */
export function withOwnFields<T extends object>(record: T, columns: readonly ColumnDefinition[]): T {
  for (const { name } of columns) {
    const accessor = accessorOf(record, name)
    if (accessor !== undefined)
      Object.defineProperty(record, name, { ...accessor, enumerable: true, configurable: true })
  }
  return record
}

function accessorOf(record: object, name: string): PropertyDescriptor | undefined {
  for (let from = Object.getPrototypeOf(record); from !== null; from = Object.getPrototypeOf(from)) {
    const found = Object.getOwnPropertyDescriptor(from, name)
    if (found !== undefined) return found
  }
  return undefined
}
