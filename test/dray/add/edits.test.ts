import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { camelCase, habitOf, inHabit } from 'dray/internal/active-record/names.ts'
import { bracketsOf, withImport, withItems, withNames } from 'dray-infra/internal/add/edits.ts'
import { FileChanges } from 'dray-infra/internal/add/file-changes.ts'
import { className, constantName, kebabCase, propertiesOf } from 'dray-infra/internal/add/names.ts'
import { addDatabase, addSteps } from 'dray-infra/internal/add/project-files.ts'

/** The list behind `steps:` with one more item. */
function withStep(text: string): string | null {
  const list = bracketsOf(text, /\bsteps:\s*\[/)
  return list === null ? null : withItems(text, list, ['run(added)'])
}

describe('a list in code', () => {
  for (const [what, before, after] of [
    ['on one line', '  steps: [run(a), run(b)],\n', '  steps: [run(a), run(b), run(added)],\n'],
    ['that is empty', '  steps: [],\n', '  steps: [run(added)],\n'],
    ['of a line each', '  steps: [\n    run(a),\n  ],\n', '  steps: [\n    run(a),\n    run(added),\n  ],\n'],
    [
      'without a comma at its end',
      '  steps: [\n    run(a)\n  ],\n',
      '  steps: [\n    run(a),\n    run(added),\n  ],\n',
    ],
    [
      'with brackets in strings, comments and calls',
      "  steps: [run(a, { after: ['x]', `y]`] }) /* ] */, run(b)],\n",
      "  steps: [run(a, { after: ['x]', `y]`] }) /* ] */, run(b), run(added)],\n",
    ],
    [
      'that ends in a comment',
      '  steps: [\n    run(a), // the first ]\n  ],\n',
      '  steps: [\n    run(a), // the first ]\n    run(added),\n  ],\n',
    ],
  ] as const) {
    test(`${what} gets an item in the form that it has`, () => {
      assert.equal(withStep(before), after)
    })
  }

  test('that would be too long for a line gets a line for each item', () => {
    const items = Array.from({ length: 9 }, (_, place) => `run(pipeline${place})`)

    const changed = withStep(`  steps: [${items.join(', ')}],\n`)

    assert.equal(changed, `  steps: [\n${[...items, 'run(added)'].map((item) => `    ${item},\n`).join('')}  ],\n`)
  })

  test('that nothing closes is left alone', () => {
    assert.equal(withStep('steps: [run(a)'), null)
    assert.equal(withStep('steps: all\n'), null)
  })
})

describe('imports', () => {
  test('are added in the order of the formatter', () => {
    const text = "import { run } from 'dray/workflow'\nimport { b } from '#functions/b/pipeline.ts'\n\nrest\n"

    assert.equal(
      withImport(text, 'a', '#functions/a/pipeline.ts'),
      "import { run } from 'dray/workflow'\nimport { a } from '#functions/a/pipeline.ts'\nimport { b } from '#functions/b/pipeline.ts'\n\nrest\n",
    )
  })

  test('of several names take more of them', () => {
    assert.equal(
      withNames("import { database, text } from 'dray'\n", ['bigint', 'text'], 'dray'),
      "import { bigint, database, text } from 'dray'\n",
    )
  })
})

describe('the files of a project', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dray-edits-'))
  mkdirSync(join(folder, 'infra/workflows'), { recursive: true })
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('get a new database in the project and in each environment', () => {
    writeFileSync(join(folder, 'infra/project.ts'), "defineProject({ databases: { crm: { embedded: 'sqlite' } } })\n")
    writeFileSync(
      join(folder, 'infra/environments.ts'),
      `export const environments = {
  dev: {
    databases: {
      crm: { engine: 'mysql', secret: '/dray/dev/crm/url' },
    },
  },
  prod: {
    databases: {},
  },
}
`,
    )
    const changes = new FileChanges(folder)

    const notes = addDatabase(changes, 'billing', 'postgres')

    assert.deepEqual(notes, [])
    assert.equal(
      changes.read('infra/project.ts'),
      "defineProject({ databases: { crm: { embedded: 'sqlite' }, billing: { embedded: 'postgres' } } })\n",
    )
    assert.match(
      changes.read('infra/environments.ts') ?? '',
      /crm\/url' \},\n {6}billing: \{ engine: 'postgres', secret: '\/dray\/dev\/billing\/url' \},\n[\s\S]*databases: \{ billing: \{ engine: 'postgres', secret: '\/dray\/prod\/billing\/url' \} \},/,
    )
  })

  test('stay as they are where the steps are not written out, and the lines are said', () => {
    writeFileSync(join(folder, 'infra/workflows/odd.ts'), "export const odd = workflow('odd', { steps: all() })\n")
    const changes = new FileChanges(folder)

    const note = addSteps(changes, folder, 'odd', [{ constant: 'a', from: '#functions/a/pipeline.ts' }])

    assert.match(note ?? '', /stay as they are; add import \{ a \} from '#functions\/a\/pipeline\.ts' and run\(a\)/)
    assert.deepEqual(changes.list, [])
  })
})

describe('names', () => {
  test('of columns become properties that no record has itself, no two alike', () => {
    assert.deepEqual(
      propertiesOf(['InvoiceId', 'invoice_id', 'errors', '__proto__', 'order item', '2nd', 'URLPath', '']),
      ['invoiceId', 'invoiceId2', 'errorsValue', 'proto', 'orderItem', 'n2nd', 'urlPath', 'unnamed'],
    )
  })

  test('of tables become classes in the singular, and pipelines', () => {
    assert.deepEqual(['invoice_lines', 'Categories', 'address', 'sales.OrderStatus', 'boxes'].map(className), [
      'InvoiceLine',
      'Category',
      'Address',
      'OrderStatus',
      'Box',
    ])
    assert.deepEqual(['InvoiceLine', 'Größen', '2024_orders', 'a'.repeat(80)].map(kebabCase), [
      'invoice-line',
      'grossen',
      't-2024-orders',
      'a'.repeat(50),
    ])
    assert.deepEqual(['invoice-line', 'class', 'run'].map(constantName), ['invoiceLine', 'classRows', 'runRows'])
    assert.equal(camelCase('ORDER_ID'), 'orderId')
  })

  test('of a target follow the habit of its models', () => {
    assert.deepEqual(
      [['customer_dim', 'order_fact'], ['CustomerDim', 'Order'], ['CUSTOMER', 'ORDER_FACT'], []].map((names) =>
        inHabit('InvoiceLine', habitOf(names)),
      ),
      ['invoice_line', 'InvoiceLine', 'INVOICE_LINE', 'invoice_line'],
    )
  })
})
