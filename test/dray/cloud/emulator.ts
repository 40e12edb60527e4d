import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { startEmulator } from 'dray-infra/internal/emulator/emulator.ts'

const run = promisify(execFile)

const IMPATIENT_CDK = join(import.meta.dirname, 'impatient-cdk.ts')

/** The emulator of `dray deploy emulated`, with what tests ask of it. */
export interface ObservedEmulator {
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
  /** Makes every schedule due, once. */
  makeSchedulesDue(): Promise<void>
  /** Ends the processes of all functions, as `kill -9` does; how many there were. */
  killFunctions(): Promise<number>
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
export async function startObserved(python: string): Promise<ObservedEmulator> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-cloud-'))
  const file = join(folder, 'iam.log')
  const { ca, variables: own, stop } = await startEmulator({ python, folder, decisions: file })
  const variables = { ...own, NODE_OPTIONS: `--import ${pathToFileURL(IMPATIENT_CDK)}` }
  const env = { ...process.env, ...variables }
  const decided = async () => (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return {
    folder,
    ca,
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
      const { stdout } = await run(python, [join(import.meta.dirname, 'user.py'), ...policyArns], { env })
      return JSON.parse(stdout)
    },
    async makeSchedulesDue() {
      await run(python, [join(import.meta.dirname, 'schedules.py')], { env })
    },
    async killFunctions() {
      const { stdout } = await run('ps', ['-eo', 'pid=,args='])
      const workers = stdout.split('\n').filter((line) => line.includes(folder) && /\bnode /.test(line))
      for (const line of workers) process.kill(Number.parseInt(line, 10), 'SIGKILL')
      return workers.length
    },
    async stop() {
      await stop()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
