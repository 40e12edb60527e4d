import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'SECURITY.md'), 'utf8')

test('SECURITY.md names for each thing that holds an attacker a file that shows it', () => {
  const rows = page.split('\n').filter((line) => /^\| (?!they can|---)/.test(line))
  const named = rows.map((row) =>
    [...(row.split(' | ').at(-1) ?? '').matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
  )

  assert.ok(rows.length > 25)
  assert.deepEqual(
    rows.filter(
      (_, place) => named[place]?.length === 0 || named[place]?.some((path) => !existsSync(join(root, path))),
    ),
    [],
  )
})

test('SECURITY.md says of each attacker what remains', () => {
  const sections = page.split(/^## /m)
  const silent = sections.filter((section) => section.includes('| they can') && !section.includes('**Remains:**'))

  assert.deepEqual(silent, [])
})
