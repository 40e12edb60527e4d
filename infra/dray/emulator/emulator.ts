import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Where the emulator is, in the words of AWS. */
export const EMULATED_REGION = 'eu-west-1'
export const EMULATED_ACCOUNT = '000000000000'

/** One that is at work with many functions is slow, and one that has hung says nothing. */
const ANSWER_WITHIN_MS = 10_000

/** A region of AWS on this machine, in which IAM is enforced, and functions are processes. */
export interface Emulator {
  /** The authority that has signed its certificate. */
  readonly ca: string
  /** The variables of a process that works with it, as the account's root. */
  readonly variables: Readonly<Record<string, string>>
  /** Resolves with the exit code, or the signal, when its process has ended. */
  readonly ended: Promise<number | NodeJS.Signals>
  stop(): Promise<void>
}

export interface EmulatorOptions {
  /** A Python that has it. */
  readonly python: string
  /** Where it keeps its files; it is there, and the emulator's alone. */
  readonly folder: string
  /** Each decision of IAM is written here, as a line. */
  readonly decisions?: string
  /** What it says; unset: nowhere. */
  readonly log?: string
}

/** Starts the emulator. Rejects when it ends before it answers. */
export async function startEmulator({ python, folder, decisions, log }: EmulatorOptions): Promise<Emulator> {
  const port = await freePort()
  const certificate = join(folder, 'ministack-tls/server.crt')
  const authorities = join(folder, 'authorities.pem')
  // A function's worker is CommonJS, and a package that the folder is in may say otherwise.
  await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }\n')
  const keys = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: EMULATED_REGION }
  const own = {
    ...withoutAccount(process.env),
    ...keys,
    ...(await apart(folder)),
    // Functions run by the first Node of the PATH, and their certificates are those of Lambda.
    PATH: `${await nodeThatTrusts(authorities, folder)}:${process.env.PATH}`,
    // It ends with the process that has started it, however that ends.
    DRAY_KEEPER: String(process.pid),
    TMPDIR: folder,
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    MINISTACK_HOST: '127.0.0.1',
    MINISTACK_REGION: EMULATED_REGION,
    AUTH: 'true',
    USE_SSL: '1',
    IOT_MTLS_ENABLED: '0',
    SFTP_ENABLED: '0',
    ...(decisions === undefined ? {} : { IAM_LOG: decisions }),
  }
  const output = log === undefined ? 'ignore' : openSync(log, 'a', 0o600)
  const server = spawn(python, [join(import.meta.dirname, 'emulator.py')], {
    env: own,
    stdio: ['ignore', output, output],
  })
  await once(server, 'spawn').catch((error: Error) => {
    throw new Error(`${python} cannot be started (${error.message}).`)
  })
  const ended = once(server, 'exit').then(([code, signal]): number | NodeJS.Signals => code ?? signal)
  const end = () => server.kill('SIGKILL')
  process.on('exit', end)
  await untilItAnswers(certificate, port, () => server.exitCode !== null || server.signalCode !== null)
  const ca = await readFile(certificate, 'utf8')
  await writeFile(authorities, `${await ownAuthorities()}\n${ca}`)
  return {
    ca,
    variables: {
      ...keys,
      ...(await apart(folder)),
      AWS_ENDPOINT_URL: `https://127.0.0.1:${port}`,
      AWS_CA_BUNDLE: certificate,
      NODE_EXTRA_CA_CERTS: authorities,
      AWS_EC2_METADATA_DISABLED: 'true',
      CDK_DISABLE_CLI_TELEMETRY: 'true',
      CDK_DISABLE_VERSION_CHECK: 'true',
      // The CDK CLI remembers which account a key is of.
      CDK_HOME: join(folder, 'cdk'),
    },
    ended,
    async stop() {
      server.kill('SIGTERM')
      const late = setTimeout(end, 10_000)
      await ended
      clearTimeout(late)
      process.off('exit', end)
    },
  }
}

/** Variables that keep what works with the emulator from the files of somebody's account, and from their proxy. */
async function apart(folder: string): Promise<Readonly<Record<string, string>>> {
  const none = join(folder, 'no-account')
  await writeFile(none, '')
  const here = [process.env.NO_PROXY ?? process.env.no_proxy, '127.0.0.1', 'localhost'].filter(Boolean).join(',')
  return { AWS_CONFIG_FILE: none, AWS_SHARED_CREDENTIALS_FILE: none, NO_PROXY: here, no_proxy: here }
}

/** The authorities that somebody trusts on this machine: a database or a webhook may be known by them. */
async function ownAuthorities(): Promise<string> {
  const file = process.env.NODE_EXTRA_CA_CERTS
  return file ? await readFile(file, 'utf8').catch(() => '') : ''
}

/** Variables without those of an account: nothing that somebody is signed in to is met by a function here. */
export function withoutAccount(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !/^(AWS|CDK)_/.test(name)))
}

/** Whether an emulator answers there. */
export function answers(ca: string, endpoint: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { ca, agent: false, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) }
    const asked = get(new URL('/_ministack/health', endpoint), options, (response) => {
      response.on('error', () => {})
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
  })
}

async function nodeThatTrusts(authorities: string, folder: string): Promise<string> {
  const bin = join(folder, 'bin')
  await mkdir(bin, { recursive: true })
  const quoted = (path: string) => `'${path.replaceAll("'", `'\\''`)}'`
  const script = `#!/bin/sh\nNODE_EXTRA_CA_CERTS=${quoted(authorities)} exec ${quoted(process.execPath)} "$@"\n`
  await writeFile(join(bin, 'node'), script, { mode: 0o755 })
  return bin
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { readonly port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function untilItAnswers(certificate: string, port: number, hasEnded: () => boolean): Promise<void> {
  while (!hasEnded()) {
    const ca = existsSync(certificate) ? await readFile(certificate, 'utf8') : ''
    if (ca !== '' && (await answers(ca, `https://127.0.0.1:${port}`))) return
    await delay(100)
  }
  throw new Error('The emulator has ended before it answered.')
}
