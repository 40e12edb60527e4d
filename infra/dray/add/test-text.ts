import { type FieldType, fieldOf } from 'dray/internal/active-record/field-type.ts'
import type { Text } from 'dray/internal/block/block.ts'
import type { AddedTable } from './added-table.ts'
import { importLine, valueLiteral } from './literals.ts'
import { invented, masked } from './masked.ts'
import { spoken } from './names.ts'

export interface Fixture {
  /** Rows by the place of the field, as the source's own texts. */
  readonly rows: readonly (readonly Text[])[]
  readonly isMasked: boolean
}

/** `pipeline.test.ts` of a table, with rows as the source has them. */
export function testText(added: AddedTable, { rows, isMasked }: Fixture): string {
  const { constant, fields } = added
  const shown = rows.map((row) =>
    row.map((text, place) => {
      const type = fields[place]?.source as FieldType
      return literal(isMasked ? masked(text, type) : text, type)
    }),
  )
  const made = rows.length > 0 ? shown : [fields.map(({ source }) => literal(invented(source), source))]
  const title = spoken(added.source.className.replace(/^Source/, ''))
  return `${importLine(['test'], 'node:test')}${importLine(['testPipeline'], 'dray-infra/testing')}${importLine([constant], './pipeline.ts')}
/** ${aboutRows(rows.length, isMasked)} */
const rows = [
${made.map((values) => `  {\n${fields.map(({ property }, place) => `    ${property}: ${values[place]},\n`).join('')}  },\n`).join('')}]

test('${title} is loaded with each value as it is', () => {
  for (const row of rows) testPipeline(${constant}).row(row).becomes(row)
})
`
}

function aboutRows(count: number, isMasked: boolean): string {
  if (count === 0) return 'The table had no row: the values are made up.'
  return isMasked ? 'Rows of the source, with their values masked.' : 'Rows of the source.'
}

function literal(text: Text, type: FieldType): string {
  return valueLiteral(text, fieldOf(type).settings)
}
