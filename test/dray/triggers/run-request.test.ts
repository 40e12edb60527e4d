import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type RunRequest, runInputOf } from 'dray/internal/messages/run-input.ts'
import { leastOf, unionOf } from 'dray/internal/triggers/run-request.ts'
import fc from 'fast-check'

/** Half of what an execution's input can have, so that two of them fit the item of a slot. */
const MOST_BYTES = 131_072
const bytesOf = (request: RunRequest) => Buffer.byteLength(JSON.stringify(request))

const text = (maxLength: number) => fc.string({ unit: 'grapheme', maxLength })
const window = fc.constantFrom(
  null,
  { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' },
  { from: '2025-12-31T00:00:00Z', to: '2026-01-01T12:00:00Z' },
)
const keys = fc.oneof(fc.constant('all' as const), fc.array(text(200), { maxLength: 300 }))
const request: fc.Arbitrary<RunRequest> = fc.record({
  trigger: text(300),
  events: fc.array(text(330), { maxLength: 60, size: 'max' }),
  entities: fc.dictionary(text(201), fc.record({ keys, window }), { maxKeys: 12, noNullPrototype: true }),
  causation: fc.array(fc.record({ workflow: text(100), run: text(100) }), { maxLength: 128, size: 'max' }),
})
const large = fc.tuple(request, fc.integer({ min: 1, max: 400 })).map(([one, times]) =>
  Array.from(
    { length: times },
    (_, place): RunRequest => ({
      trigger: `${one.trigger}${place}`,
      events: one.events.map((event) => `${event}-${place}`),
      entities: Object.fromEntries(Object.entries(one.entities).map(([name, change]) => [`${name}-${place}`, change])),
      causation: one.causation.map(({ workflow, run }) => ({ workflow: `${workflow}-${place}`, run })),
    }),
  ),
)

describe('the union of requests', () => {
  test('is an input that an execution can have, whatever they hold', () => {
    fc.assert(
      fc.property(large, large, (some, more) => {
        const waiting = unionOf(some)
        const union = unionOf([waiting, ...more])

        assert.ok(bytesOf(union) <= MOST_BYTES, `${bytesOf(union)} bytes`)
        assert.ok(bytesOf(leastOf(union)) <= 4096)
        assert.doesNotThrow(() => runInputOf(['orders']).parse(JSON.parse(JSON.stringify(union))))
      }),
      { numRuns: 40 },
    )
  })

  test('names every key of few requests once', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.stringMatching(/^[a-z]{1,9}$/)), { minLength: 1, maxLength: 8 }), (lists) => {
        const requests = lists.map((keys) => ({
          trigger: 'event:E',
          events: [],
          entities: { 'shop/orders': { keys, window: null } },
          causation: [],
        }))

        const { entities } = unionOf(requests)

        assert.deepEqual(entities['shop/orders']?.keys, [...new Set(lists.flat())])
      }),
    )
  })

  test('of 800 events of 1,000 keys each says that all keys are meant', () => {
    const requests = Array.from({ length: 800 }, (_, event) => ({
      trigger: 'event:EntityUpdated',
      events: [`shop/orders/${event}`],
      entities: {
        'shop/orders': {
          keys: Array.from({ length: 1000 }, (_, key) => `${event}-${key}`.padEnd(60, 'x')),
          window: null,
        },
      },
      causation: [],
    }))

    const { entities } = unionOf(requests)

    assert.equal(entities['shop/orders']?.keys, 'all')
  })
})
