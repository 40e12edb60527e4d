import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mergeJson } from 'dray-infra/internal/upgrade/merge-json.ts'

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`

/** Own file, installed template, next template; the merged document and what is said of it. */
function merged(own: unknown, installed: unknown, next: unknown) {
  const { text, keys } = mergeJson(json(own), json(installed), json(next))
  return { document: JSON.parse(text), keys: keys.map(({ key, change }) => `${change} ${key}`) }
}

describe('a file that both owners write in', () => {
  test('gets what the framework has added and changed, and loses what it has dropped', () => {
    const result = merged(
      { scripts: { test: 'a', old: 'c', mine: 'm' } },
      { scripts: { test: 'a', old: 'c' } },
      { scripts: { test: 'b', more: 'd' } },
    )

    assert.deepEqual(result.document, { scripts: { test: 'b', mine: 'm', more: 'd' } })
    assert.deepEqual(result.keys.sort(), ['removed scripts.old', 'set scripts.more', 'set scripts.test'])
  })

  test('keeps what the user has changed, and says so where the framework has changed it as well', () => {
    const result = merged(
      { scripts: { test: 'mine', start: 'mine' } },
      { scripts: { test: 'a', start: 's' } },
      { scripts: { test: 'b', start: 's' } },
    )

    assert.deepEqual(result.document, { scripts: { test: 'mine', start: 'mine' } })
    assert.deepEqual(result.keys, ['kept scripts.test'])
  })

  test('keeps what the user has removed, unless it has changed since', () => {
    const result = merged({}, { a: 1, b: 1 }, { a: 1, b: 2 })

    assert.deepEqual(result.document, {})
    assert.deepEqual(result.keys, ['kept b'])
  })

  test('joins lists, entry by entry', () => {
    const result = merged(
      { workspaces: ['mine', 'shared/dray', 'infra/old'] },
      { workspaces: ['shared/dray', 'infra/old'] },
      { workspaces: ['shared/dray', 'infra/dray'] },
    )

    assert.deepEqual(result.document, { workspaces: ['mine', 'shared/dray', 'infra/dray'] })
  })

  test('keeps comments and the order of keys', () => {
    const own = '{\n  // Ours.\n  "include": ["functions"],\n  "extends": "./a.json"\n}\n'

    const { text } = mergeJson(own, json({ extends: './a.json' }), json({ extends: './b.json' }))

    assert.equal(text, own.replace('a.json', 'b.json'))
  })

  test('is left as it is where the framework has changed nothing', () => {
    const own = '{ "a":1 }'

    assert.deepEqual(mergeJson(own, json({ b: 1 }), json({ b: 1 })), { text: own, keys: [] })
  })
})
