import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Command, InvalidArgumentError } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { CommandProcess, PageSource } from '#dray-infra/page/page-source.ts'
import { packageFolder, projectFolder } from '#dray-infra/project/project-folder.ts'
import { commandFor, isLocal, startAllDatabases, withRemote, withStores } from './environment.ts'
import { listenForInterrupts } from './interrupts.ts'
import { print, say } from './output.ts'
import { entriesIn, keptEntries } from './runs-logs.ts'
import { type CommonOptions, type Verbs, withCommonOptions } from './verb.ts'

interface DevOptions extends CommonOptions {
  readonly port: number
  readonly allowActions?: boolean
  readonly mask: boolean
}

const PORT = 4983

export function addDev(program: Command, _verbs: Verbs): void {
  withCommonOptions(program.command('dev'))
    .description('a page of the workflows, runs and rows, on 127.0.0.1, until Ctrl-C')
    .option('--port <n>', 'where it is served; 0 for any free one', portOption, PORT)
    .option(
      '--allow-actions',
      'of an environment: let the page start, resume and stop runs, and replay and discard rows',
    )
    .option('--no-mask', 'of an environment: show the values of rows, not their shape alone')
    .action((_options, command: Command) => dev(command.optsWithGlobals()))
}

function portOption(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('Give a number from 0 to 65535.')
}

async function dev(options: DevOptions): Promise<void> {
  const interrupts = listenForInterrupts()
  try {
    await (isLocal(options) ? devHere(options, interrupts.signal) : devRemotely(options, interrupts.signal))
  } finally {
    interrupts.stop()
  }
}

async function devHere(options: DevOptions, signal: AbortSignal): Promise<void> {
  // Commands that the page starts find the databases by themselves, as any other command does.
  const environment = { ...process.env }
  await withStores(options, async (stores) => {
    const { fileOfEndpoint } = await import('#dray-infra/local/state-file.ts')
    const { openSlots } = await import('#dray-infra/local/state.ts')
    const databases = startAllDatabases()
    // Whoever needs them says what is wrong.
    databases.catch(() => {})
    const source: PageSource = {
      env: options.env,
      stores,
      logOf: keptEntries,
      explained: (error) => error,
      look: null,
      stateFile: fileOfEndpoint(process.env.STATE_ENDPOINT ?? ''),
      isMasked: false,
      databases: databases.then(() => {}),
      slots: await openSlots(),
      act: (args) => started(args, environment),
    }
    await served(source, options, signal)
    await (await databases.catch(() => async () => {}))()
  })
}

async function devRemotely(options: DevOptions, signal: AbortSignal): Promise<void> {
  const { env, mask, allowActions = false } = options
  const { explained } = await import('#dray-infra/remote/refusals.ts')
  const there = (args: readonly string[]) => started([...args, '--env', env], process.env)
  await withRemote(options, (environment) =>
    served(
      {
        env,
        stores: environment,
        logOf: (run) => entriesIn(environment, run),
        explained: (error) => explained(error, env),
        look: (args) => printedBy(there([...args, '--json'])),
        stateFile: null,
        isMasked: mask,
        databases: null,
        slots: null,
        act: allowActions ? there : null,
      },
      options,
      signal,
    ),
  )
}

async function served(source: PageSource, options: DevOptions, signal: AbortSignal): Promise<void> {
  const { servePage } = await import('#dray-infra/page/serve.ts')
  const page = await servePage(source, options)
  print(`${page.url}\n`)
  say(`Open it in a browser of this machine; Ctrl-C ends it. In a terminal: \`${commandFor(options, 'dray runs')}\`.\n`)
  await interrupted(signal)
  await page.close()
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** A command as a person would start it in another terminal. */
function started(args: readonly string[], environment: NodeJS.ProcessEnv): CommandProcess {
  const child = spawn(process.execPath, [join(packageFolder, 'cli/dray.ts'), ...args], {
    cwd: projectFolder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = async () => {
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ])
    return { code, stdout, stderr }
  }
  return { ended: ended(), stop: () => void child.kill('SIGINT') }
}

/** The document of a command. Throws `Configuration` with what it said where it failed. */
async function printedBy({ ended }: CommandProcess): Promise<unknown> {
  const { code, stdout, stderr } = await ended
  if (code === 0) return JSON.parse(stdout)
  throw new ConfigurationError(stderr.trim().replace(/^dray: /, '') || `The command ended with ${code}.`)
}
