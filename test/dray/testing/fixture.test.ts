import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { fixtureOf } from 'dray-infra/internal/testing/fixture.ts'
import { testPipeline } from 'dray-infra/testing'
import { customers } from '#test/fixture/functions/customers/pipeline.ts'
import { orders } from '#test/fixture/functions/orders/pipeline.ts'

const rows = [
  { id: '12345', name: 'Aino Virtanen', email: 'aino@example.com', phone: '12', address: null, created_at: null },
  { id: '54321', name: 'Bert Virtanen', email: 'bert@example.com', phone: '12', address: null, created_at: null },
  { id: '3', name: ' ', email: null, phone: null, address: null, created_at: null },
]
const any = customers as unknown as Pipeline
let folder: string

before(async () => {
  folder = await mkdtemp(join(import.meta.dirname, 'fixture-'))
})
after(() => rm(folder, { recursive: true }))

type Fixture = ReturnType<typeof fixtureOf>

/** Tests a pipeline by a fixture that was changed meanwhile; the file is named as from here. */
async function testBy(change: (fixture: Fixture) => unknown, tested = testPipeline(customers)): Promise<void> {
  const fixture = fixtureOf(any, rows, { isMasked: false })
  const changed = change(fixture) ?? fixture
  await writeFile(join(folder, 'saved.json'), typeof changed === 'string' ? changed : JSON.stringify(changed))
  tested.fixture(`./${folder.slice(import.meta.dirname.length + 1)}/saved.json`)
}

test('rows that become what they became when they were saved pass', async () => {
  await testBy(() => undefined)
})

test('masked rows say nothing of the source, are unlike each other, and are saved with what becomes of them', async () => {
  const fixture = fixtureOf(any, rows, { isMasked: true })

  const text = JSON.stringify(fixture)

  assert.doesNotMatch(text, /Aino|Virtanen|example|345/)
  assert.deepEqual(
    fixture.rows.map(({ outcome, target, errors }) => [outcome, target?.full_name, errors]),
    [
      ['loaded', 'Xxxx Xxxxxxxx', undefined],
      ['quarantined', undefined, [{ field: 'name', code: 'missing' }]],
    ],
  )
  await testBy(() => fixture)
})

test('a row that becomes another one is shown beside the saved one, with the command that writes it anew', async () => {
  const changed = (fixture: Fixture) => {
    const [first] = fixture.rows
    Object.assign(first?.target ?? {}, { full_name: 'Aino' })
  }

  await assert.rejects(testBy(changed), ({ name, message, stack }: Error) => {
    assert.equal(name, 'AssertionError')
    assert.equal(
      message,
      `customers: row 0 of saved.json has other values than are saved.

             saved               became
   id        12345n              12345n
≠  fullName  'Aino'              'Aino Virtanen'
   email     'aino@example.com'  'aino@example.com'
   phone     null                null
   city      null                null

Where that is right, write the fixture anew: npx dray preview customers --save-fixture
`,
    )
    assert.match(stack ?? '', /anew: .*\n\s+at testBy \(.*fixture\.test\.ts/)
    return true
  })
})

test('another outcome, other reasons and other findings fail, too', async () => {
  const first = (fixture: Fixture) => fixture.rows[0] as Fixture['rows'][number]
  const last = (fixture: Fixture) => fixture.rows[2] as Fixture['rows'][number]

  await assert.rejects(
    testBy((fixture) => Object.assign(first(fixture), { outcome: 'filtered' }) && fixture),
    /row 0 of saved\.json was filtered when it was saved, and now it was loaded:\nid +12345n\n/,
  )
  await assert.rejects(
    testBy((fixture) => Object.assign(first(fixture), { findings: [] }) && fixture),
    /row 0 of saved\.json has other findings than are saved\.\n\nsaved:\n {2}nothing\nbecame:\n {2}'phone', 'invalid'/,
  )
  await assert.rejects(
    testBy((fixture) => Object.assign(last(fixture), { errors: [{ field: 'name', code: 'blank' }] }) && fixture),
    /row 2 of saved\.json has other errors than are saved\.\n\nsaved:\n {2}'name', 'blank'\nbecame:\n {2}'name', 'missing'/,
  )
})

test('a file that is no fixture of the pipeline is refused, and so is one of columns that are no more', async () => {
  const refused = (change: (fixture: Fixture) => unknown, message: RegExp, tested = testPipeline(customers)) =>
    assert.rejects(testBy(change, tested), { name: 'Configuration', message })

  await refused(
    () => '{',
    /saved\.json is no fixture, or one that was changed; .*npx dray preview customers --save-fixture/,
  )
  await refused((fixture) => ({ ...fixture, rows: [] }), /saved\.json is no fixture/)
  await refused((fixture) => fixture, /is a fixture of customers; delete it/, testPipeline(orders) as never)
  await refused(
    (fixture) => ({ ...fixture, rows: [{ ...fixture.rows[0], source: { nickname: 'x' } }] }),
    /row 0 of saved\.json has nickname, which the model has not; write it anew/,
  )
  assert.throws(() => testPipeline(customers).fixture('./none.json'), {
    name: 'Configuration',
    message:
      /^customers: there is no fixture .*testing\/none\.json; write it by `npx dray preview customers --save-fixture`/,
  })
})
