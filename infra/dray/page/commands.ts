import { newRunId } from 'dray/internal/messages/run-id.ts'
import type { RunRequest } from 'dray/internal/messages/run-input.ts'
import type { CommandProcess } from './page-source.ts'

/** A command that the page has started. */
export interface CommandDocument {
  readonly id: number
  /** As it can be pasted. */
  readonly text: string
  /** The run that it makes, where it makes one. */
  readonly run: string | null
  readonly start: number
  readonly end: number | null
  readonly status: 'running' | 'success' | 'failed'
  /** What it said at its end. */
  readonly said: string
}

interface Command extends CommandDocument {
  end: number | null
  status: CommandDocument['status']
  said: string
  readonly process: CommandProcess
}

const KEPT = 50
const MOST_CHARACTERS = 4_000

/** Commands of Dray, started as a person would: each a process that runs the files as they are then. */
export class Commands {
  readonly #start: (args: readonly string[]) => CommandProcess
  readonly #env: string
  readonly #changed: () => void
  #commands: Command[] = []
  #count = 0

  constructor(
    start: (args: readonly string[]) => CommandProcess,
    { env, changed }: { readonly env: string; changed(): void },
  ) {
    this.#start = start
    this.#env = env
    this.#changed = changed
  }

  list(): CommandDocument[] {
    return this.#commands.map(({ process: _process, ...document }) => document)
  }

  /** One that makes a run, which is known by its name before it is recorded. */
  run(args: readonly string[], id: string = newRunId(), request: RunRequest | null = null): CommandDocument {
    const asked = request === null ? [] : ['--request', JSON.stringify(request)]
    return this.start(args, { run: id, hidden: ['--progress', 'none', '--run-id', id, ...asked] })
  }

  /** Resolves when the command that makes a run has ended. */
  async end(run: string): Promise<void> {
    await this.#commands.find((command) => command.run === run)?.process.ended
  }

  isAtWork(run: string): boolean {
    return this.#commands.some((command) => command.run === run && command.status === 'running')
  }

  start(
    args: readonly string[],
    { run = null, hidden = [] }: { readonly run?: string | null; readonly hidden?: readonly string[] } = {},
  ): CommandDocument {
    this.#count += 1
    const process = this.#start([...args, ...hidden])
    const place = this.#env === 'local' ? [] : ['--env', this.#env]
    const text = `npx dray ${[...args, ...place].map(quoted).join(' ')}`
    const command: Command = {
      id: this.#count,
      text,
      run,
      start: Date.now(),
      end: null,
      status: 'running',
      said: '',
      process,
    }
    this.#commands = [command, ...this.#commands].slice(0, KEPT)
    this.#changed()
    void process.ended.then(({ code, stdout, stderr }) => {
      command.end = Date.now()
      command.status = code === 0 ? 'success' : 'failed'
      command.said = (stderr.trim() || stdout.trim()).slice(-MOST_CHARACTERS)
      this.#changed()
    })
    const { process: _process, ...document } = command
    return document
  }

  /** Ends what is at work, as Ctrl-C would, and waits for it. */
  async stop(): Promise<void> {
    const atWork = this.#commands.filter(({ status }) => status === 'running')
    for (const { process } of atWork) process.stop()
    await Promise.all(atWork.map(({ process }) => process.ended))
  }
}

function quoted(text: string): string {
  return /^[\w./,:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
