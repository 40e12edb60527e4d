import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root, sourceFiles } from './imports.ts'

const FOLDER = 'shared/dray/database'
const engines = ['postgres', 'mysql', 'sqlite'] as const

/** What each engine has under the same name, so that one can be read beside another. */
const roles = [
  'adapter.ts',
  'builder.ts',
  'capabilities.ts',
  'connection.ts',
  'describe.ts',
  'digests.ts',
  'health.ts',
  'horizon.ts',
  'index.ts',
  'merge/merge.ts',
  'merge/merging.ts',
  'merge/session.ts',
  'merge/sql.ts',
  'merge/target-table.ts',
  'names.ts',
  'schema.ts',
  'session.ts',
  'translate.ts',
  'url.ts',
  'values.ts',
]

describe('the engines', () => {
  for (const engine of engines) {
    test(`have the same roles under the same names: ${engine}`, () => {
      const files = new Set(globSync('**/*.ts', { cwd: join(root, FOLDER, engine) }))

      assert.deepEqual(
        roles.filter((role) => !files.has(role)),
        [],
      )
    })

    test(`show their adapter alone: ${engine}`, () => {
      const create = `create${engine.charAt(0).toUpperCase()}${engine.slice(1)}Adapter`

      const face = readFileSync(join(root, FOLDER, engine, 'index.ts'), 'utf8')

      assert.equal(face, `export { ${create} } from './adapter.ts'\n`)
    })
  }

  test('are asked for what they can, never for their name', () => {
    const outside = sourceFiles().filter(
      (file) =>
        /^(shared|infra)\/dray\//.test(file) && !engines.some((engine) => file.startsWith(`${FOLDER}/${engine}/`)),
    )

    const asking = outside.filter((file) =>
      /\bdialect *[!=]==|[!=]== *(\w+\.)*dialect\b|\[(\w+\.)*dialect\]|switch \((\w+\.)*dialect\)|Record<Dialect\b/.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    )

    assert.ok(outside.length > 100)
    assert.deepEqual(asking, [])
  })
})
