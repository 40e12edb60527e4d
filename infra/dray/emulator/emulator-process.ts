import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keepCompiled } from '#dray-infra/local/compile-cache.ts'
import { ignoreExperimentalWarnings } from '#dray-infra/local/experimental-warnings.ts'
import { takeFolderLock } from '#dray-infra/local/folder-lock.ts'
import { logFolder } from '#dray-infra/local/home.ts'
import { startServices } from '#dray-infra/local/services.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { startEmulator } from './emulator.ts'
import { type EmulatorFile, emulatorFile, emulatorFolder, emulatorLock } from './emulator-file.ts'

/*
 * Keeps the emulator, and the embedded databases that its functions work with, until it gets a signal. One for each
 * `.dray` folder, started by `dray deploy emulated` and ended by `dray destroy emulated`.
 */

keepCompiled()
ignoreExperimentalWarnings()

const [, , home, python] = process.argv as [string, string, string, string]
mkdirSync(emulatorFolder(home), { recursive: true, mode: 0o700 })
const lock = takeFolderLock(emulatorLock(home))
if (!lock) throw new Error('Another process keeps the emulator of this folder.')

const folder = join(emulatorFolder(home), 'aws')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { mode: 0o700 })

const services = await startServices({ home, project: await loadProject(), state: false })
const emulator = await startEmulator({ python, folder, log: join(logFolder(home), 'emulator.log') })
const told: EmulatorFile = { pid: process.pid, ca: emulator.ca, variables: emulator.variables }
const file = emulatorFile(home)
writeFileSync(`${file}.new`, JSON.stringify(told), { mode: 0o600 })
renameSync(`${file}.new`, file)

let stopping = false
async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  rmSync(file, { force: true })
  await emulator.stop()
  await services.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  lock?.release()
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.on('SIGHUP', () => {})
const code = await emulator.ended
if (!stopping) {
  process.stderr.write(`The emulator has ended by itself (${code}).\n`)
  await stop()
}
