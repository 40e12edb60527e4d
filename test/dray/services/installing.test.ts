import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { refusalToInstall } from './installing.ts'

const package_ = { missing: 'a-server is not installed', does: "installs Debian's a-server", isOfRoot: true }

describe('what the tests lack', () => {
  test('is not installed on a machine whose user has not asked for it', () => {
    for (const environment of [{}, { CI: '' }, { CI: '1' }, { TEST_INSTALL: '' }, { TEST_INSTALL: '0' }]) {
      assert.equal(
        refusalToInstall(package_, environment, 0),
        "a-server is not installed; TEST_INSTALL=1 npm test installs Debian's a-server, as root.",
      )
    }
  })

  test('is installed by root where that is asked for, or in CI', () => {
    for (const environment of [{ CI: 'true' }, { TEST_INSTALL: '1' }]) {
      assert.equal(refusalToInstall(package_, environment, 0), null)
      assert.match(refusalToInstall(package_, environment, 1000) ?? '', /only root can install it/)
      assert.equal(refusalToInstall({ ...package_, isOfRoot: false }, environment, 1000), null)
    }
  })

  test('is said in one line, and apt-get is not called', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dray-apt-'))
    const called = join(folder, 'called')
    writeFileSync(join(folder, 'apt-get'), `#!/bin/sh\ntouch ${called}\nexit 1\n`)
    chmodSync(join(folder, 'apt-get'), 0o755)
    const source = `console.log(await (await import('./mariadb-package.ts')).installMariaDB())`
    const { CI: _, TEST_INSTALL: __, ...environment } = process.env

    const said = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
      cwd: import.meta.dirname,
      env: { ...environment, PATH: `${folder}:${process.env.PATH}` },
      encoding: 'utf8',
    })

    assert.match(said, /^mariadbd is not installed; TEST_INSTALL=1 npm test installs .*\n$/)
    assert.equal(existsSync(called), false)
    rmSync(folder, { recursive: true })
  })
})
