import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

const project = resolve(import.meta.dirname, '../..')
const { scripts } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

describe('npm run', () => {
  let folder: string
  let shell: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-scripts-'))
    shell = join(folder, 'shell')
    await writeFile(shell, '#!/bin/sh\nexec node --version\n')
    await chmod(shell, 0o755)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  for (const script of Object.keys(scripts)) {
    test(`runs ${script} on Node 24 whatever Node the machine has`, async () => {
      const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'))
      const env = { ...process.env, PATH: path.join(delimiter) }

      const { stdout } = await promisify(execFile)('npm', ['run', '--silent', script, `--script-shell=${shell}`], {
        cwd: project,
        env,
      })

      assert.match(stdout.trim(), /^v24\./)
    })
  }
})
