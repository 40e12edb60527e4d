import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

const REGION = 'eu-west-1'

/** A region of AWS on this machine, in which IAM is enforced, and functions are processes. */
export interface Emulator {
  /** A folder that goes with it. */
  readonly folder: string
  /** The authority that has signed its certificate. */
  readonly ca: string
  /** The variables of a process that works with it, as the account's root. */
  readonly variables: Readonly<Record<string, string>>
  /** Calls that IAM has refused: what, on what, by whom. */
  refused(): Promise<string[]>
  /** What an action has been allowed on so far, in order: ARNs. */
  allowed(action: string): Promise<string[]>
  /** Every call so far that IAM was asked about. */
  decisions(): Promise<readonly Decision[]>
  /** The keys of a new user who may do what policies allow. */
  userWith(...policyArns: readonly string[]): Promise<Readonly<Record<string, string>>>
  stop(): Promise<void>
}

/** A call, and what IAM has said to it. */
export interface Decision {
  readonly isAllowed: boolean
  readonly action: string
  readonly resource: string
  /** The ARN of a role's session, of a role, or of a user. */
  readonly caller: string
  /** What conditions look at. */
  readonly context: Readonly<Record<string, unknown>>
}

/** Starts the emulator by a Python that has it. */
export async function startEmulator(python: string): Promise<Emulator> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-cloud-'))
  const port = await freePort()
  const certificate = join(folder, 'ministack-tls/server.crt')
  const decisions = join(folder, 'iam.log')
  const keys = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: REGION }
  const own = {
    ...process.env,
    ...keys,
    // Functions run by the first Node of the PATH, and their certificates are those of Lambda.
    PATH: `${await nodeThatTrusts(certificate, folder)}:${process.env.PATH}`,
    TMPDIR: folder,
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    MINISTACK_HOST: '127.0.0.1',
    MINISTACK_REGION: REGION,
    AUTH: 'true',
    USE_SSL: '1',
    IOT_MTLS_ENABLED: '0',
    SFTP_ENABLED: '0',
    IAM_LOG: decisions,
  }
  const server = spawn(python, [join(import.meta.dirname, 'emulator.py')], { env: own, stdio: 'ignore' })
  const ended = once(server, 'exit')
  const end = () => server.kill('SIGKILL')
  process.on('exit', end)
  await untilItAnswers(certificate, port, () => server.exitCode !== null)
  const variables = {
    ...keys,
    AWS_ENDPOINT_URL: `https://127.0.0.1:${port}`,
    AWS_CA_BUNDLE: certificate,
    NODE_EXTRA_CA_CERTS: certificate,
    AWS_EC2_METADATA_DISABLED: 'true',
    // The CDK CLI remembers which account a key is of.
    CDK_HOME: join(folder, 'cdk'),
  }
  const decided = async () => (await readFile(decisions, 'utf8')).split('\n').filter((line) => line !== '')
  return {
    folder,
    ca: await readFile(certificate, 'utf8'),
    variables,
    async refused() {
      return (await decided()).filter((line) => !line.startsWith('ok'))
    },
    async allowed(action) {
      const calls = (await decided()).map((line) => line.split('\t'))
      return calls.flatMap(([decision, called, on = '']) => (decision === 'ok' && called === action ? [on] : []))
    },
    async decisions() {
      return (await decided()).map((line) => {
        const [decision, action = '', resource = '', caller = '', context = '{}'] = line.split('\t')
        return { isAllowed: decision === 'ok', action, resource, caller, context: JSON.parse(context) }
      })
    },
    async userWith(...policyArns) {
      const env = { ...process.env, ...variables }
      const { stdout } = await run(python, [join(import.meta.dirname, 'user.py'), ...policyArns], { env })
      return JSON.parse(stdout)
    },
    async stop() {
      server.kill('SIGTERM')
      const late = setTimeout(end, 10_000)
      await ended
      clearTimeout(late)
      process.off('exit', end)
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function nodeThatTrusts(certificate: string, folder: string): Promise<string> {
  const bin = join(folder, 'bin')
  await mkdir(bin)
  const script = `#!/bin/sh\nNODE_EXTRA_CA_CERTS=${certificate} exec ${process.execPath} "$@"\n`
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
    if (existsSync(certificate) && (await answers(await readFile(certificate, 'utf8'), port))) return
    await delay(100)
  }
  throw new Error('The emulator has ended before it answered.')
}

function answers(ca: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, path: '/_ministack/health', ca }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
  })
}
