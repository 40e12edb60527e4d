import { fieldText } from 'dray/internal/active-record/field-type.ts'
import { snakeCase } from 'dray/internal/active-record/table-definition.ts'
import type { AddedField, AddedModel, AddedTable } from './added-table.ts'
import { comment, quotedText } from './literals.ts'

const MEASURED = 'The source says no size: a value of more digits goes to the quarantine.'

export interface ModelText {
  /** What the class is made with, to be imported from `dray`. */
  readonly imports: readonly string[]
  readonly text: string
}

/** The class of the table that is read. `database` is what the file calls it. */
export function sourceModelText(added: AddedTable, database: string): ModelText {
  const fields = added.fields.map((field) => fieldLines(field, 'source', field.comment))
  return modelText(added.source, `${database}.source`, added.comment, fields, added)
}

export function targetModelText(added: AddedTable, database: string): ModelText {
  const fields = added.fields.map((field) => fieldLines(field, 'target', field.isMeasured ? MEASURED : null))
  return modelText(added.target, `${database}.table`, null, fields, added)
}

function modelText(
  { className, table }: AddedModel,
  method: string,
  about: string | null,
  fields: readonly string[],
  { fields: declared, source }: AddedTable,
): ModelText {
  const kinds = declared.map((field) => field[className === source.className ? 'source' : 'target'].kind)
  const head = `${about === null ? '' : comment(about)}export class ${className} extends ${method}(${quotedText(table)}, {\n`
  return { imports: [...new Set<string>(kinds)].sort(), text: `${head}${fields.join('')}}) {}\n` }
}

function fieldLines(field: AddedField, side: 'source' | 'target', about: string | null): string {
  const column = side === 'source' ? field.column : field.targetColumn
  const { property, isKey, isNullable } = field
  const named = snakeCase(property) === column ? '' : `.column(${quotedText(column)})`
  const declared = `${fieldText(field[side])}${isKey ? '.primaryKey()' : ''}${isNullable ? '.nullable()' : ''}${named}`
  return `${about === null ? '' : comment(about, '  ')}  ${property}: ${declared},\n`
}
