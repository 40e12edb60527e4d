import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { createStagingStore } from 'dray/internal/staging/staging-url.ts'

test('opens a folder by its path and by its URL, relative ones from where the process stands', async () => {
  const places = ['.dray/staging', 'file:.dray/staging', pathToFileURL('.dray/staging').href]

  const stores = await Promise.all(places.map(createStagingStore))

  for (const store of stores) assert.equal(store.locate('run'), resolve('.dray/staging/run'))
})

for (const url of [
  '',
  'file:',
  'gs://bucket/x',
  's3://',
  's3:///x',
  's3://UPPER',
  'file://host/x',
  's3://bucket/a/../b',
]) {
  test(`refuses ${JSON.stringify(url)} as a place for staging`, async () => {
    await assert.rejects(createStagingStore(url), { name: 'Configuration' })
  })
}

test('loads no SDK for a folder', async () => {
  const script = `
    import { createStagingStore } from 'dray/internal/staging/staging-url.ts'
    import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) { if (name.startsWith('@aws-sdk')) console.log(name); return next(name, context) } })
    await createStagingStore('somewhere')`

  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module-typescript', '-e', script])

  assert.equal(stdout, '')
})
