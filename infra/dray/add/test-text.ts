import { type FieldType, fieldOf } from 'dray/internal/active-record/field-type.ts'
import type { Text } from 'dray/internal/block/block.ts'
import type { AddedTable } from './added-table.ts'
import { importLine, quotedText } from './literals.ts'
import { invented, masked } from './masked.ts'
import { spoken } from './names.ts'

export interface Fixture {
  /** Rows by the place of the field, as the source's own texts. */
  readonly rows: readonly (readonly Text[])[]
  readonly isMasked: boolean
}

const ASSERT = "import assert from 'node:assert/strict'\n"
/** What makes a value of these kinds in a test. */
const MAKERS = { decimal: 'decimalOf', date: 'dateOf', timestamp: 'timestampOf' } as const

/** `pipeline.test.ts` of a table, with rows as the source has them. */
export function testText(added: AddedTable, { rows, isMasked }: Fixture): string {
  const { constant, fields } = added
  const shown = rows.map((row) =>
    row.map((text, place) => {
      const type = fields[place]?.source as FieldType
      return valueText(isMasked ? masked(text, type) : text, type)
    }),
  )
  const made = rows.length > 0 ? shown : [fields.map(({ source }) => valueText(invented(source), source))]
  const title = spoken(added.source.className.replace(/^Source/, ''))
  return `${ASSERT}${importLine(['test'], 'node:test')}${drayImports(made.flat())}${importLine(['transformed'], 'dray-infra/testing')}${importLine([constant], './pipeline.ts')}
/** ${aboutRows(rows.length, isMasked)} */
const rows = [
${made.map((values) => `  {\n${fields.map(({ property }, place) => `    ${property}: ${values[place]},\n`).join('')}  },\n`).join('')}]

test('${title} is loaded with each value as it is', () => {
  for (const row of rows) {
    const result = transformed(${constant}, row)

    assert.equal(result.outcome, 'loaded')
    assert.deepEqual(result.row, row)
  }
})
`
}

function aboutRows(count: number, isMasked: boolean): string {
  if (count === 0) return 'The table had no row: the values are made up.'
  return isMasked ? 'Rows of the source, with their values masked.' : 'Rows of the source.'
}

function drayImports(values: readonly string[]): string {
  const used = Object.values(MAKERS).filter((maker) => values.some((value) => value.startsWith(`${maker}(`)))
  const types = values.some((value) => value.endsWith(' as JsonText')) ? ['type JsonText'] : []
  const names = [...used, ...types].sort((one, other) => bare(one).localeCompare(bare(other)))
  if (names.length === 0) return ''
  return used.length === 0 ? "import type { JsonText } from 'dray'\n" : importLine(names, 'dray')
}

const bare = (name: string) => name.replace(/^type /, '')

/** A value as a test writes it: what the field makes of the text, so that the transform gives the same. */
function valueText(text: Text, type: FieldType): string {
  if (text === null) return 'null'
  const { cast, toText } = fieldOf(type).settings
  const canonical = toText(cast(text))
  if (type.kind === 'bigint') return `${BigInt(canonical)}n`
  if (type.kind === 'integer' || type.kind === 'double') return numberText(Number(canonical))
  if (type.kind === 'boolean') return canonical === '1' ? 'true' : 'false'
  if (type.kind === 'binary') return `Buffer.from('${canonical.slice(2)}', 'hex')`
  if (type.kind === 'json') return `${quotedText(canonical)} as JsonText`
  const maker = MAKERS[type.kind as keyof typeof MAKERS]
  return maker === undefined ? quotedText(canonical) : `${maker}(${quotedText(canonical)})`
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  return Number.isNaN(value) ? 'Number.NaN' : `Number.${value > 0 ? 'POSITIVE' : 'NEGATIVE'}_INFINITY`
}
