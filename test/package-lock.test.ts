import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const lock: {
  packages: Record<string, { version: string; resolved?: string; optionalDependencies?: Record<string, string> }>
} = JSON.parse(readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8'))

test('the lock file names the builds for every platform, so that `npm ci` takes it anywhere', () => {
  const missing = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter(
      (name) => !Object.keys(lock.packages).some((path) => path.endsWith(`node_modules/${name}`)),
    ),
  )

  assert.deepEqual(missing, [], 'run: node .ci/complete-lock.ts')
})

test('the lock file names no registry', () => {
  assert.deepEqual(
    Object.values(lock.packages).flatMap(({ resolved }) => resolved ?? []),
    [],
  )
})
