import { type RawBuilder, sql } from 'kysely'
import { columnName, textFor } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { instantText, microsOf } from '#dray/pipeline/texts/instant.ts'
import type { SourceTable } from './source-table.ts'

type Live = Pick<SourceTable, 'adapter' | 'columns'>

/** Conditions on the rows that a pipeline is about, whatever a run asks of them; none where it is about all. */
export function ownRows(
  { filter, source }: Pick<Extraction, 'filter'> & { readonly source: Pick<Extraction['source'], 'definition'> },
  table: Live,
): RawBuilder<unknown>[] {
  if (filter === null) return []
  const where = `${source.definition.database}.${source.definition.table}`
  const parts = filter.map((part) => {
    switch (part.kind) {
      case 'sql':
        return sql.raw(part.text)
      case 'column':
        return comparison(part.column, table, where).by
      case 'value':
        return comparison(part.column, table, where).value(part.text)
      case 'cast':
        return sql`${part.value}`
      case 'null':
        return table.adapter.isNull(columnName(part.column))
      default:
        return part satisfies never
    }
  })
  return [sql`(${sql.join(parts, sql.raw(''))})`]
}

interface Comparison {
  readonly by: RawBuilder<unknown>
  value(text: string): RawBuilder<unknown>
}

const DIGITS = /^-?\d+(?:\.\d+)?$/
const NUMBERS = new Set(['integer', 'bigint', 'decimal', 'double'])
const TEXTS = new Set(['text', 'varchar'])
const HAS_NUMBERS =
  /^(?:(?:tiny|small|medium|big)?int|integer|decimal|numeric|float|double|real|year|oid|xid8)\b(?!.*\[\])/i
/** Numbers that the engine compares with a text that it makes one of, and with no other number. */
const ONLY_AS_TEXT = /^(?:xid8|money)$/i
/** Compared as a document, or not at all. */
const HAS_DOCUMENTS = /^json$/i
const HAS_TEXTS = /char|clob|text/i
const HAS_OTHER_THAN_TEXTS = /int|real|floa|doub|num|dec|date|time|bool/i

/**
 * A column beside a value of its field, in types that the engine compares as what the field says: it would compare a
 * DECIMAL with a text as doubles, and texts of numbers character by character.
 */
function comparison(column: ColumnDefinition, { adapter, columns }: Live, where: string): Comparison {
  const { kind } = column.field.settings
  const name = columnName(column)
  const type = columns.find((one) => one.name === column.column)?.type ?? ''
  // One that holds values of any type.
  const isLoose = adapter.schema.liveTypes === null
  if (kind === 'timestamp' && adapter.stampForm(type) === 'text') {
    return { by: adapter.textStamps.normalised(name), value: (text) => sql`${stampText(text)}` }
  }
  if (kind === 'timestamp' && /^date$/i.test(type)) {
    return { by: name, value: (text) => sql`${wholeDay(text, column, where)}` }
  }
  if (NUMBERS.has(kind)) {
    if (!isLoose && HAS_TEXTS.test(type)) throw otherwise(column, type, where)
    const isNumber = !isLoose || (HAS_OTHER_THAN_TEXTS.test(type) && !HAS_TEXTS.test(type))
    const by = isNumber ? name : sql`cast(${name} as numeric)`
    const isLiteral = (text: string) => DIGITS.test(text) && (isLoose || kind !== 'double') && !ONLY_AS_TEXT.test(type)
    return { by, value: (text) => (isLiteral(text) ? sql.raw(text) : textFor(adapter, column, text)) }
  }
  if (TEXTS.has(kind) && !isLoose && (HAS_NUMBERS.test(type) || HAS_DOCUMENTS.test(type)))
    throw otherwise(column, type, where)
  if (kind === 'boolean' && isLoose) {
    // It holds whichever of these was written, and a field reads them all.
    const by = sql`case cast(${name} as text) when '1' then 1 when 't' then 1 when 'true' then 1 when '0' then 0 when 'f' then 0 when 'false' then 0 end`
    return { by: sql`(${by})`, value: (text) => sql.raw(column.field.settings.cast(text) ? '1' : '0') }
  }
  const other = isLoose || kind === 'binary' ? (adapter.comparedAs?.(name, kind, type) ?? null) : null
  return other ?? { by: name, value: (text) => textFor(adapter, column, text) }
}

function stampText(text: string): string {
  const micros = microsOf(text)
  return micros === null ? text : instantText(micros)
}

function wholeDay(text: string, { column }: ColumnDefinition, where: string): string {
  if (/^.{10,12} 00:00:00(?:\.0+)?$/.test(text)) return text.slice(0, text.indexOf(' '))
  throw new TerminalError(
    `${where}: where: ${column} is a date, and ${text} is not the start of a day, which engines compare in different ways, so nothing was read; give 00:00:00`,
  )
}

function otherwise({ name, column, field }: ColumnDefinition, type: string, where: string): TerminalError {
  return new TerminalError(
    `${where}: where: the field ${name} is ${field.settings.kind} and the column ${column} is ${type}, so the engine would compare them in its own way, and nothing was read; give the field the kind of its column, or write cast(${column} as …) = cast(? as …)`,
  )
}
