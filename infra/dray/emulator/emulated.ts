import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { drayHome, logFolder, makeHome } from '#dray-infra/local/home.ts'
import { startServices } from '#dray-infra/local/services.ts'
import { emulatedSecret } from '#dray-infra/project/emulated-environment.ts'
import { EMULATED } from '#dray-infra/project/emulated-name.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { urlFromAnyFolder } from '#dray-infra/project/local-url.ts'
import { answers, EMULATED_ACCOUNT, EMULATED_REGION, withoutAccount } from './emulator.ts'
import { type EmulatorFile, emulatorFile, emulatorFolder, readEmulatorFile } from './emulator-file.ts'
import { installEmulator, installedEmulator } from './python.ts'

const POLL_MS = 100
const START_WITHIN_MS = 120_000

/**
 * Lets this process, and those that it starts, work with the emulator. Throws `Configuration` where none is up, or what
 * was deployed has gone with it.
 */
export async function joinEmulator(): Promise<void> {
  const running = await runningEmulator(drayHome())
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
export async function prepareEmulator(project: LoadedProject, note: (text: string) => void): Promise<void> {
  const home = drayHome()
  const running = await runningEmulator(home)
  useEmulator(running ?? (await startProcess(home, await pythonFor(home, note), note)))
  // The process that keeps the emulator has the embedded databases up for it.
  const services = await startServices({ home, project, state: false })
  await writeSecrets(Object.keys(project.databases))
  await services.stop()
  if (running === null) await bootstrap(note)
}

export async function isEmulatorUp(): Promise<boolean> {
  return (await runningEmulator(drayHome())) !== null
}

/** Ends the emulator with all that is in it; false where none is up. */
export async function stopEmulator(): Promise<boolean> {
  const home = drayHome()
  const running = await runningEmulator(home)
  if (running === null) return false
  process.kill(running.pid, 'SIGTERM')
  while (existsSync(emulatorFile(home)) || isAlive(running.pid)) await delay(POLL_MS)
  return true
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
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

async function pythonFor(home: string, note: (text: string) => void): Promise<string> {
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

async function startProcess(home: string, python: string, note: (text: string) => void): Promise<EmulatorFile> {
  note('The emulator of AWS starts.\n')
  const log = join(logFolder(home), 'emulator.log')
  const output = openSync(log, 'a', 0o600)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'emulator-process.ts'), home, python], {
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  child.unref()
  for (const deadline = Date.now() + START_WITHIN_MS; Date.now() < deadline; await delay(POLL_MS)) {
    const running = await runningEmulator(home)
    if (running !== null) return running
    if (hasEnded(child)) break
  }
  const last = readFileSync(log, 'utf8').trim().split('\n').at(-1)
  throw new ConfigurationError(`The emulator of AWS did not come up, so nothing was deployed: ${last}; see ${log}.`)
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

async function writeSecrets(databases: readonly string[]): Promise<void> {
  const { writeSecret } = await import('#dray-infra/remote/secrets.ts')
  for (const name of databases) {
    await writeSecret(emulatedSecret(name), urlFromAnyFolder(process.env[urlVariable(name)] as string))
  }
}

/** In a folder that is no project's, so that none is synthesized. */
async function bootstrap(note: (text: string) => void): Promise<void> {
  note('The emulated account is made ready for the CDK.\n')
  const cli = createRequire(import.meta.url).resolve('aws-cdk/bin/cdk')
  const child = spawn(process.execPath, [cli, 'bootstrap', `aws://${EMULATED_ACCOUNT}/${EMULATED_REGION}`], {
    cwd: emulatorFolder(drayHome()),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new ConfigurationError(`The emulated account could not be made ready: ${said.trim()}`)
}
