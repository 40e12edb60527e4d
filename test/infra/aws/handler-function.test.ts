import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { App, Stack } from 'aws-cdk-lib'
import { HandlerFunction } from '#infra/aws/handler-function.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dray-bundle-'))
})
after(() => rm(folder, { recursive: true, force: true }))

test('bundles a handler with its drivers into one module that Node imports where no package is installed', async () => {
  const app = new App({ outdir: folder, analyticsReporting: false })
  new HandlerFunction(new Stack(app, 'Bundle'), 'Load', {
    handler: 'functions/orders/load.ts',
    timeoutSeconds: 60,
    environment: {},
  })

  app.synth()

  const assets = (await readdir(folder)).filter((name) => name.startsWith('asset.'))
  assert.equal(assets.length, 1)
  const bundle = join(folder, assets[0] as string, 'index.mjs')
  const script = `const { handler } = await import('${pathToFileURL(bundle)}'); process.stdout.write(typeof handler)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: folder,
  })
  assert.equal(stdout, 'function')
})
