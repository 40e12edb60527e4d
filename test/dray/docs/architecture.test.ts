import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '../../..')

for (const walk of ["A row's way", "A run's way"]) {
  test(`${walk} in docs/architecture.md leads through files that are there, each once`, () => {
    const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
    const section = page.split(/^## /m).find((part) => part.startsWith(walk)) ?? ''

    const files = [...section.matchAll(/^\d+\. `([^`]+\.ts)`/gm)].map(([, file = '']) => file)

    assert.ok(files.length >= 15)
    assert.deepEqual(
      files.filter((file) => !existsSync(join(root, file))),
      [],
    )
    assert.equal(new Set(files).size, files.length)
  })
}
