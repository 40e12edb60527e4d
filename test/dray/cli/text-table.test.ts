import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Column, textTable } from 'dray-infra/internal/cli/text-table.ts'
import { lengthOf } from 'dray-infra/internal/cli/text-width.ts'
import fc from 'fast-check'

type Row = Readonly<Record<string, string>>

const columnsOf = (...titles: readonly string[]) =>
  titles.map(
    (title): Column<Row> => ({
      title,
      align: /^\d*$/.test(title) || title === 'rows' ? 'right' : 'left',
      value: (row) => row[title] ?? '0',
    }),
  )

describe('a table that is wider than the terminal', () => {
  const steps = columnsOf('step', 'status', 'rows', 'notes')
  const row = { step: 'orders', status: 'success', notes: 'three words here' }

  it('stays as it is where it has room', () => {
    assert.equal(textTable(steps, [row], 80), 'step    status   rows  notes\norders  success     0  three words here')
  })

  it('leaves out columns of zeros, then breaks texts between words', () => {
    assert.equal(textTable(steps, [row], 34), 'step    status   notes\norders  success  three words here')
    assert.equal(
      textTable(steps, [row], 25),
      'step    status   notes\norders  success  three\n                 words\n                 here',
    )
    assert.match(textTable(steps, [{ ...row, rows: '7' }], 34), /rows/)
  })

  it('stands upright where the words alone are too wide', () => {
    const long = { ...row, step: 'shop-raw/customer_addresses', notes: 'x'.repeat(40) }
    assert.equal(
      textTable(steps, [long, row], 40),
      [
        'step    shop-raw/customer_addresses',
        'status  success',
        `notes   ${'x'.repeat(32)}`,
        `        ${'x'.repeat(8)}`,
        '',
        'step    orders',
        'status  success',
        'notes   three words here',
      ].join('\n'),
    )
  })

  it('never has a line that is wider, and loses no character', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '日', '✓', ' ', '7', '-'), maxLength: 60 })
    const rows = fc.array(fc.record({ step: cell, status: cell, rows: fc.nat().map(String), notes: cell }), {
      minLength: 1,
    })
    fc.assert(
      fc.property(rows, fc.integer({ min: 20, max: 120 }), (given, width) => {
        const lines = textTable(steps, given, width).split('\n')
        assert.ok(Math.max(...lines.map(lengthOf)) <= width, lines.join('\n'))
        const letters = (text: string) => [...text].filter((one) => one === 'a' || one === '日').length
        const shown = letters(lines.join('\n'))
        const wanted = given.reduce((sum, one) => sum + letters(Object.values(one).join('')), 0)
        assert.ok(shown >= wanted, lines.join('\n'))
      }),
    )
  })
})
