import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trials } from '#test/benchmarks/peers/trials.ts'
import { readPage } from './page.ts'

test('docs/comparison.md has a row of each trial that its script does, with what each of three tools made of it', () => {
  const rows = readPage('docs/comparison.md').split('\n')

  for (const { name } of trials) {
    const row = rows.filter((line) => line.startsWith(`| ${name} |`))
    assert.deepEqual([row.length, row[0]?.split(' | ').length], [1, 4], name)
  }
})
