import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from 'dray-infra/internal/states-language/expression.ts'
import fc from 'fast-check'
import jsonata from 'jsonata'

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom(null, true, 0, '', 'text'),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'constructor', 'length'), tie('value')),
  ),
}))
const path = fc.array(fc.constantFrom('a', 'b', 'constructor', 'length'), { maxLength: 3 })

test('follows a path of keys exactly as JSONata does', async () => {
  let found = 0

  await fc.assert(
    fc.asyncProperty(value, path, async (input, keys) => {
      const source = ['$states.input', ...keys].join('.')
      const states = { input, context: {} }

      const expected = await jsonata(source).evaluate(undefined, { states })
      const actual = await evaluate(`{% ${source} %}`, states, 'test').catch((error: Error) => error)

      // A prototype's members, which the package finds and Java does not.
      const isFound = expected !== undefined && ![expected].flat().some((part) => typeof part === 'function')
      if (!isFound) assert.match(String(actual), /has no value|has a function/)
      else assert.deepEqual(JSON.stringify(actual), JSON.stringify(expected))
      found += isFound ? 1 : 0
    }),
    { seed: 3, numRuns: 2_000 },
  )

  assert.ok(found > 400, `only ${found} paths led to a value`)
})

test('evaluates what stands in {% %} anywhere in a template, and nothing else', async () => {
  const template = { list: [1, '{% $states.input & "!" %}', ['{% null %}']], text: '$states.input', off: false }

  const result = await evaluate(template, { input: 'in', context: {} }, 'test')

  assert.deepEqual(result, { list: [1, 'in!', [null]], text: '$states.input', off: false })
})

test('keeps a key named __proto__ as data', async () => {
  const template = JSON.parse('{"__proto__": "{% $states.input %}"}')

  const result = await evaluate(template, { input: 'in', context: {} }, 'test')

  assert.equal(JSON.stringify(result), '{"__proto__":"in"}')
})
