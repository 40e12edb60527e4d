import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { takeFolderLock } from '#dray-infra/local/folder-lock.ts'
import { drayHome, logFolder, makeHome } from '#dray-infra/local/home.ts'
import { openPrivateFile } from '#dray-infra/local/private-files.ts'
import { startServices } from '#dray-infra/local/services.ts'
import { emulatedSecret } from '#dray-infra/project/emulated-environment.ts'
import { EMULATED } from '#dray-infra/project/emulated-name.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { urlFromAnyFolder } from '#dray-infra/project/local-url.ts'
import { answers, EMULATED_ACCOUNT, EMULATED_REGION, withoutAccount } from './emulator.ts'
import {
  ALREADY_KEPT,
  type EmulatorFile,
  emulatorFolder,
  keeperOf,
  NO_DATABASES,
  readEmulatorFile,
} from './emulator-file.ts'
import { installEmulator, installedEmulator } from './python.ts'

const POLL_MS = 100
const START_WITHIN_MS = 120_000
const STOP_WITHIN_MS = 30_000

export interface EmulatorPlace {
  /** The folder that the emulator is of: `.dray` by default. */
  readonly home?: string
  /** The project, where its databases are worked with. */
  readonly project: LoadedProject | null
  readonly note: (text: string) => void
}

/**
 * Lets this process, and those that it starts, work with the emulator. Throws `Configuration` where none is up, or what
 * was deployed has gone with it.
 */
export async function joinEmulator(home = drayHome()): Promise<void> {
  const running = await runningEmulator(home)
  if (running === null) {
    throw new ConfigurationError(
      `The emulator of ${EMULATED} is not up, and what was deployed to it goes when it ends, so nothing was done; \`npx dray deploy ${EMULATED}\` starts it and deploys there.`,
    )
  }
  useEmulator(running)
}

/**
 * Joins the emulator or starts it, installed into `.dray` at the first time; makes the secrets with the URLs that the
 * project's databases have on this machine, and what the CDK needs. Throws `Configuration`.
 */
export async function prepareEmulator({ home = drayHome(), project, note }: EmulatorPlace): Promise<void> {
  const running = await runningEmulator(home)
  useEmulator(running ?? (await startProcess({ home, project, note })))
  if (project !== null) await writeSecrets(home, project)
  await makeReady(home, note)
}

export async function isEmulatorUp(home = drayHome()): Promise<boolean> {
  return (await runningEmulator(home)) !== null
}

/** Ends the emulator with all that is in it; false where none is up. */
export async function stopEmulator(home = drayHome()): Promise<boolean> {
  const keeper = keeperOf(home)
  if (keeper === null) return false
  process.kill(keeper, 'SIGTERM')
  for (const deadline = Date.now() + STOP_WITHIN_MS; keeperOf(home) === keeper; await delay(POLL_MS)) {
    // The emulator ends with it.
    if (Date.now() > deadline) process.kill(keeper, 'SIGKILL')
  }
  return true
}

async function runningEmulator(home: string): Promise<EmulatorFile | null> {
  const file = readEmulatorFile(home)
  if (file === null) return null
  return (await answers(file.ca, file.variables.AWS_ENDPOINT_URL as string)) ? file : null
}

function useEmulator({ ca, variables }: EmulatorFile): void {
  const kept = withoutAccount(process.env)
  for (const name of Object.keys(process.env)) if (!(name in kept)) delete process.env[name]
  Object.assign(process.env, variables)
  setDefaultCACertificates([...new Set([...getCACertificates('default'), ca])])
}

async function pythonFor(note: (text: string) => void): Promise<string> {
  const home = drayHome()
  const { DRAY_EMULATOR_PYTHON } = process.env
  if (DRAY_EMULATOR_PYTHON) return DRAY_EMULATOR_PYTHON
  makeHome(home)
  const folder = join(emulatorFolder(home), 'python')
  const installed = installedEmulator(folder)
  if (installed !== null) return installed
  note(`The emulator of AWS is installed into ${folder}, once.\n`)
  await mkdir(emulatorFolder(home), { recursive: true, mode: 0o700 })
  return installEmulator(folder)
}

async function startProcess({ home = drayHome(), project, note }: EmulatorPlace): Promise<EmulatorFile> {
  const python = await pythonFor(note)
  note('The emulator of AWS starts.\n')
  const log = join(logFolder(home), 'emulator.log')
  if (keeperOf(home) === null) closeSync(openPrivateFile(log))
  const args = [join(import.meta.dirname, 'emulator-process.ts'), home, python]
  const start = () => startKeeper(project === null ? [...args, NO_DATABASES] : args, log)
  let child = start()
  for (const deadline = Date.now() + START_WITHIN_MS; Date.now() < deadline; await delay(POLL_MS)) {
    const running = await runningEmulator(home)
    if (running !== null) return running
    if (!hasEnded(child)) continue
    if (child.exitCode !== ALREADY_KEPT) break
    // Another command has just started it, or is about to end it.
    await delay(10 * POLL_MS)
    child = start()
  }
  child.kill('SIGTERM')
  const last = readFileSync(log, 'utf8').trim().split('\n').slice(-2).join('; ')
  throw new ConfigurationError(
    `The emulator of AWS did not come up, so nothing was deployed: ${last.replace(/\.$/, '') || 'it has said nothing'}. All that it said is in ${log}.`,
  )
}

function startKeeper(args: readonly string[], log: string): ChildProcess {
  const output = openSync(log, 'a', 0o600)
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  closeSync(output)
  child.unref()
  return child
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

/** The process that keeps the emulator has the embedded databases up for it. */
async function writeSecrets(home: string, project: LoadedProject): Promise<void> {
  const services = await startServices({ home, project, state: false })
  try {
    const { writeSecret } = await import('#dray-infra/remote/secrets.ts')
    for (const name of Object.keys(project.databases)) {
      await writeSecret(emulatedSecret(name), urlFromAnyFolder(process.env[urlVariable(name)] as string))
    }
  } finally {
    await services.stop()
  }
}

/** Two commands that come at once do it one after the other, the second one with nothing to do. */
async function makeReady(home: string, note: (text: string) => void): Promise<void> {
  const file = join(emulatorFolder(home), 'bootstrap.lock')
  let lock = takeFolderLock(file)
  for (; lock === null; lock = takeFolderLock(file)) await delay(POLL_MS)
  try {
    const { isBootstrapped } = await import('#dray-infra/remote/bootstrapped.ts')
    if (!(await isBootstrapped())) await bootstrap(home, note)
  } finally {
    lock.release()
  }
}

/** In a folder that is no project's, so that none is synthesized. */
async function bootstrap(home: string, note: (text: string) => void): Promise<void> {
  note('The emulated account is made ready for the CDK.\n')
  const cli = createRequire(import.meta.url).resolve('aws-cdk/bin/cdk')
  const child = spawn(
    process.execPath,
    [cli, 'bootstrap', '--no-notices', `aws://${EMULATED_ACCOUNT}/${EMULATED_REGION}`],
    {
      cwd: emulatorFolder(home),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new ConfigurationError(`The emulated account could not be made ready: ${said.trim()}`)
}
