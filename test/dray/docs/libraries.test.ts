import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isOwn, readPage, root } from './page.ts'

const SECTIONS = {
  'In a Lambda': 'shared/dray/package.json',
  'On a laptop': 'infra/dray/package.json',
  // A project of a user has libraries that are theirs.
  ...(isOwn ? { 'For tests and checks': 'package.json' } : {}),
}
const OURS = ['dray', 'dray-infra']

for (const [section, manifest] of Object.entries(SECTIONS)) {
  test(`docs/libraries.md has each library of ${manifest}, and no other`, () => {
    const text =
      readPage('docs/libraries.md')
        .split(/^## /m)
        .find((part) => part.startsWith(section)) ?? ''
    const rows = text.split('\n').filter((line) => /^\| `/.test(line))
    const named = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name))

    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(root, manifest), 'utf8'),
    )

    const wanted = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
    assert.deepEqual([...named].sort(), wanted.filter((name) => !OURS.includes(name)).sort())
    // Library, what it does, why, and by whom it is kept.
    for (const row of rows) assert.equal(row.split(' | ').length, 4, row)
  })
}
