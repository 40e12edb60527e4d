import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isEmulatorUp, stopEmulator } from 'dray-infra/internal/emulator/emulated.ts'
import { EMULATOR_PACKAGES, installedEmulator } from 'dray-infra/internal/emulator/python.ts'
import { writeMade } from 'dray-infra/internal/prove/made.ts'
import { Proof } from 'dray-infra/internal/prove/proof.ts'

/* What a machine that was switched off, or a command that was killed, has left behind. */

describe('what is left behind', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-left-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('is no emulator after a restart of the machine, when another program has its number', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    const emulated = join(folder, 'emulated')
    await mkdir(emulated)
    const told = { ca: '', variables: { AWS_ENDPOINT_URL: 'https://127.0.0.1:1' } }
    await writeFile(join(emulated, 'emulator.json'), JSON.stringify(told))
    await writeFile(join(emulated, 'keeper.pid'), String(other.pid))
    await writeFile(join(emulated, 'emulator.lock'), '')

    const isUp = await isEmulatorUp(folder)
    const isStopped = await stopEmulator(folder)

    assert.deepEqual([isUp, isStopped], [false, false])
    assert.equal(other.kill(0), true)
    other.kill('SIGKILL')
  })

  it('is no Python with the emulator until all of its packages are in their version', async () => {
    const python = join(folder, 'python')
    const libraries = join(python, 'lib/python3.12/site-packages')
    const [emulator, cryptography] = EMULATOR_PACKAGES
    const install = async (requirement: string) => {
      const told = join(libraries, `${requirement.replace('==', '-')}.dist-info`)
      await mkdir(told, { recursive: true })
      await writeFile(join(told, 'RECORD'), '')
    }
    await mkdir(join(python, 'bin'), { recursive: true })
    await symlink(process.execPath, join(python, 'bin/python'))
    await writeFile(join(python, 'bin/ministack'), '')

    const begun = installedEmulator(python)
    await install(emulator)
    await install('cryptography==1.0')
    const outdated = installedEmulator(python)
    await install(cryptography)
    const whole = installedEmulator(python)
    await rm(join(python, 'bin/python'))
    await symlink(join(folder, 'uninstalled'), join(python, 'bin/python'))

    assert.deepEqual([begun, outdated, whole], [null, null, join(python, 'bin/python')])
    assert.equal(installedEmulator(python), null)
  })

  it('of a proof is taken down on its own servers alone, which the refusal names without a password', async () => {
    const places = { source: 'postgres://me:secret@127.0.0.1:1/other', target: '', schema: 'prove_000000' }
    const options = {
      name: 'prove-000000',
      folder,
      settings: {} as never,
      places,
      signal: new AbortController().signal,
    }
    const proof = new Proof({ ...options, servers: 'b:5432/other' })
    const nothing = await proof.takeDown()
    await writeMade(folder, { servers: 'a:5432/sales', isDeployed: true, kept: [] })

    const refused = proof.takeDown()

    assert.equal(nothing, 'nothing was made')
    await assert.rejects(refused, (error: Error) => {
      assert.match(
        error.message,
        /made on a:5432\/sales, and PROVE_.* lead to b:5432\/other, so nothing was taken down/,
      )
      return !error.message.includes('secret')
    })
  })
})
