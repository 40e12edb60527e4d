import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AscendingKeys } from 'dray/internal/database/merge/ascending-keys.ts'

const target = { table: 't', columns: ['name', 'id'], key: ['id'] }

function areAscending(...blocks: readonly string[][]): boolean {
  const keys = new AscendingKeys(target)
  for (const block of blocks) keys.add(Buffer.from(block.map((key) => `ä\t${key}\n`).join('')))
  return keys.isAscending
}

describe('keys that grow from row to row', () => {
  test('are whole numbers of any length, over the borders of blocks', () => {
    const seen = areAscending(
      ['0', '9', '10'],
      ['11', '9007199254740992', '9007199254740993'],
      [],
      ['9007199254740994'],
    )

    assert.equal(seen, true)
  })

  for (const [name, ...blocks] of [
    ['come twice', ['1', '2', '2']],
    ['come twice at the border of two blocks', ['1', '2'], ['2', '3']],
    ['go down', ['2', '1']],
    ['go down in length', ['10', '9']],
    ['are NULL', ['1', '\\N']],
    ['begin with a zero, as another text of the same number may', ['1', '02']],
    ['are negative', ['-2', '-1']],
    ['have a fraction', ['1', '1.5']],
    ['are empty', ['']],
  ] as const) {
    test(`are not those that ${name}`, () => {
      const seen = areAscending(...(blocks as unknown as string[][]))

      assert.equal(seen, false)
    })
  }

  test('are not told of a key of two columns', () => {
    const keys = new AscendingKeys({ ...target, key: ['name', 'id'] })

    assert.equal(keys.isAscending, false)
  })
})
