import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keepCompiled } from '#dray-infra/bundle/compile-cache.ts'
import { ignoreExperimentalWarnings } from '#dray-infra/local/experimental-warnings.ts'
import { takeFolderLock } from '#dray-infra/local/folder-lock.ts'
import { logFolder } from '#dray-infra/local/home.ts'
import { startServices } from '#dray-infra/local/services.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { startEmulator } from './emulator.ts'
import {
  ALREADY_KEPT,
  type EmulatorFile,
  emulatorFile,
  emulatorFolder,
  emulatorLock,
  keeperFile,
  NO_DATABASES,
} from './emulator-file.ts'

/*
 * Keeps the emulator, and the embedded databases that its functions work with, until it gets a signal. One for each
 * `.dray` folder, started by `dray deploy emulated` and ended by `dray destroy emulated`.
 */

keepCompiled()
ignoreExperimentalWarnings()

const [, , home, python, whose] = process.argv as [string, string, string, string, string?]
mkdirSync(emulatorFolder(home), { recursive: true, mode: 0o700 })
const lock = takeFolderLock(emulatorLock(home))
if (!lock) process.exit(ALREADY_KEPT)
writeFileSync(keeperFile(home), String(process.pid), { mode: 0o600 })
const file = emulatorFile(home)
// One whose keeper was killed has left it behind.
rmSync(file, { force: true })

const folder = join(emulatorFolder(home), 'aws')
const stops: (() => Promise<void>)[] = []
let stopping = false

async function stop(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  rmSync(file, { force: true })
  for (const end of stops.reverse()) await end()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  rmSync(keeperFile(home), { force: true })
  lock?.release()
  process.exit(code)
}
process.on('SIGTERM', () => stop(0))
process.on('SIGINT', () => stop(0))
process.on('SIGHUP', () => {})

try {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { mode: 0o700 })
  const project = whose === NO_DATABASES ? { databases: {} } : await loadProject()
  const services = await startServices({ home, project, state: false })
  stops.push(() => services.stop())
  const emulator = await startEmulator({ python, folder, log: join(logFolder(home), 'emulator.log') })
  stops.push(() => emulator.stop())
  const told: EmulatorFile = { ca: emulator.ca, variables: emulator.variables }
  writeFileSync(`${file}.new`, JSON.stringify(told), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  const code = await emulator.ended
  if (!stopping) process.stderr.write(`The emulator has ended by itself (${code}).\n`)
} catch (error) {
  if (!stopping) process.stderr.write(`${(error as Error).message}\n`)
}
await stop(1)
