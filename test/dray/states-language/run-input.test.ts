import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runInputOf } from 'dray/internal/messages/run-input.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { execute } from 'dray-infra/internal/states-language/index.ts'
import fc from 'fast-check'
import { pipelineNamed, taskNamed } from '#test/workflow/units.ts'
import { VirtualClock } from './virtual-clock.ts'

const steps = ['customers', 'orders', 'data-mart']
const { definition, machines } = toStatesLanguage(
  workflow('daily', {
    steps: [
      run(pipelineNamed('customers')),
      run(pipelineNamed('orders')),
      run(taskNamed('data-mart'), { after: ['customers', 'orders'] }),
    ],
  }),
)
const schema = runInputOf(steps)

/** An execution of the workflow with functions that have nothing to do. */
async function started(input: unknown) {
  const called: string[] = []
  const result = await execute(definition, input, {
    clock: new VirtualClock(),
    machines,
    executionName: 'run-1',
    executor: {
      async invoke(name) {
        called.push(name)
        if (name === 'DrayFinish') return { status: 'success' }
        return name === 'DrayPlan' ? { plan: {}, epoch: 1, partitions: [], concurrency: 1 } : {}
      },
    },
  })
  return { ...result, called }
}

const good: [what: string, input: object][] = [
  ['nothing', {}],
  ['what the console proposes', { Comment: 'Insert your JSON here' }],
  ['what EventBridge Scheduler says', { trigger: 'schedule' }],
  ['some of the steps', { trigger: 'manual', only: ['orders', 'data-mart'] }],
  ['a backfill', { only: ['orders'], mode: { backfill: { from: '2024-01-01', to: '2024-02-01', chunk: '1d' } } }],
  ['a backfill without a chunk', { mode: { backfill: { from: '2024-01-01', to: '2024-02-01', chunk: null } } }],
  ['keys', { only: ['orders'], mode: { keys: ['1', ['fi', '2']] } }],
  ['a resumed run', { trigger: 'resume', mode: { resume: 'run-0' } }],
  ['a replay', { mode: { replay: {} } }],
  ['a replay of some rows', { mode: { replay: { run: null, ids: ['1'] } } }],
  [
    'what start gives it',
    {
      trigger: 'event:EntityUpdated,schedule',
      events: ['shop/orders/1'],
      entities: {
        'shop/orders': { keys: ['1001'], window: null },
        'shop/items': { keys: 'all', window: { from: '2024-01-01T00:00:00Z', to: '2024-01-02T00:00:00Z' } },
      },
      causation: [{ workflow: 'upstream', run: 'r0' }],
    },
  ],
]

const bad: [what: string, input: unknown, says: RegExp][] = [
  ['a list', [{}], /: the input has to be an object, not \[\{\}\]; docs/],
  ['nothing at all', null, /the input has to be an object, not null/],
  ['an unknown key', { onyl: ['orders'] }, /onyl is not known: there may be Comment, trigger, only, tables, mode,/],
  ['a trigger that is no text', { trigger: 7 }, /trigger has to be a string, not 7/],
  [
    'a step that the workflow does not have',
    { only: ['orders', 'order'] },
    /only .* customers, orders and data-mart, not \["orders","order"\]/,
  ],
  ['no steps', { only: [] }, /only has to be a list of steps of the workflow, .*, not \[\]/],
  ['a step that is not in a list', { only: 'orders' }, /only has to be a list .*, not "orders"/],
  [
    'a mode that is not one',
    { mode: { backfil: {} } },
    /mode has to be one of \{"backfill": .*, not \{"backfil":\{\}\}/,
  ],
  ['two modes at once', { mode: { resume: 'a', keys: ['1'] } }, /mode has to be one of/],
  ['a mode without a value', { mode: null }, /mode has to be one of .*, not null/],
  ['a backfill without an end', { mode: { backfill: { from: '2024-01-01' } } }, /mode\.backfill\.to is missing/],
  [
    'a misspelt part of a mode',
    { mode: { replay: { id: ['1'] } } },
    /mode\.replay\.id is not known: there may be run and ids/,
  ],
  ['a key without columns', { mode: { keys: [[]] } }, /mode\.keys has to be a list of keys, .*, not \[\[\]\]/],
  ['a key that is a number', { mode: { keys: [1] } }, /mode\.keys has to be .* a string/],
  ['no run to resume', { mode: { resume: '' } }, /mode\.resume has to be the name of a run, not ""/],
  ['entities without a window', { entities: { a: { keys: [] } } }, /entities has to be an object such as/],
  ['several faults', { trigger: 1, only: [], foo: 2 }, /foo is not known.*; trigger has to be.*; only has to be/],
]

describe('the state machine', () => {
  for (const [what, input] of good) {
    test(`runs for the input: ${what}`, async () => {
      const { status, cause } = await started(input)

      assert.equal(status, 'SUCCEEDED', cause)
    })
  }

  test('says of ten thousand faults as much as a cause may have', async () => {
    const input = Object.fromEntries(Array.from({ length: 10_000 }, (_, place) => [`unknown-${place}`, 1]))

    const { status, error, cause } = await started(input)

    assert.deepEqual([status, error], ['FAILED', 'InvalidInput'])
    assert.match(String(cause), /unknown-0 is not known/)
    assert.ok(String(cause).length < 3_000)
  })

  for (const [what, input, says] of bad) {
    test(`refuses, before any step runs, the input: ${what}`, async () => {
      const { status, error, cause, called } = await started(input)

      assert.deepEqual([status, error, called], ['FAILED', 'InvalidInput', []])
      assert.match(String(cause), /^The input is not one that daily takes, so nothing was run: /)
      assert.match(String(cause), says)
    })
  }

  test('accepts and refuses the same inputs as the schema', async () => {
    const seen = { true: 0, false: 0 }

    await fc.assert(
      fc.asyncProperty(nearlyInput, async (input) => {
        const { error } = await started(input)

        const accepted = schema.safeParse(input).success
        assert.equal(error !== 'InvalidInput', accepted)
        seen[`${accepted}`] += 1
      }),
      { seed: 20_260_101, numRuns: 1000 },
    )

    assert.ok(seen.true > 150 && seen.false > 150, JSON.stringify(seen))
  })

  test('takes 200 kB of keys', async () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => String(10_000_000 + index))

    const { status } = await started({ only: ['orders'], mode: { keys } })

    assert.equal(status, 'SUCCEEDED')
  })
})

/** Sometimes what is asked for, more often something like it. */
function or(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 80, arbitrary },
    {
      weight: 1,
      arbitrary: fc.constantFrom(null, '', 'all', 0, true, [], {}, [[]], [null], ['a'], [['a']], { a: null }),
    },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  )
}

function objectOf(parts: Record<string, fc.Arbitrary<unknown>>, required: readonly string[]): fc.Arbitrary<unknown> {
  const record = fc.record(parts, { requiredKeys: [...required] })
  const extra = fc.constantFrom('a', 'keys', 'Comment', 'constructor', 'toString')
  return or(
    fc.oneof(
      { weight: 50, arbitrary: record },
      { weight: 1, arbitrary: fc.tuple(record, extra).map(([object, key]) => ({ ...object, [key]: 1 })) },
      { weight: 1, arbitrary: fc.record(parts, { requiredKeys: [] }) },
    ),
  )
}

const text = or(fc.constantFrom('a', '2024-01-01', '', '𝒳', '"', "'", '`', '\\', '$'))
const texts = or(fc.array(text, { maxLength: 3 }))
const nullable = (arbitrary: fc.Arbitrary<unknown>) => fc.oneof(arbitrary, fc.constant(null))
const mode = or(
  fc.oneof(
    objectOf({ backfill: objectOf({ from: text, to: text, chunk: nullable(text) }, ['from', 'to']) }, ['backfill']),
    objectOf({ keys: or(fc.array(fc.oneof(text, texts), { maxLength: 3 })) }, ['keys']),
    objectOf({ resume: text }, ['resume']),
    objectOf({ replay: objectOf({ run: nullable(text), ids: nullable(texts) }, []) }, ['replay']),
    objectOf({ resume: text, keys: texts }, ['resume', 'keys']),
  ),
)
const change = objectOf(
  {
    keys: fc.oneof(texts, fc.constant('all')),
    window: nullable(objectOf({ from: text, to: text }, ['from', 'to'])),
  },
  ['keys', 'window'],
)
const nearlyInput = objectOf(
  {
    trigger: text,
    only: or(fc.array(or(fc.constantFrom(...steps)), { maxLength: 3 })),
    mode,
    events: texts,
    entities: or(fc.dictionary(fc.constantFrom('shop/orders', 'a', 'length'), change, { maxKeys: 2 })),
    causation: or(fc.array(objectOf({ workflow: text, run: text }, ['workflow', 'run']), { maxLength: 2 })),
  },
  [],
).map((input) => JSON.parse(JSON.stringify(input)) as unknown)
