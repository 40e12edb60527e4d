import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { LoopDocument } from './documents.ts'

/** The compiler of a project, beside what else is done; a later look ends the one before. */
export class TypeCheck {
  readonly #folder: string
  readonly #kept: string
  readonly #told: () => void
  #compiler: ReturnType<typeof spawn> | null = null
  #found: LoopDocument['types'] = { isLooking: false, faults: [] }

  /** In `kept` the compiler notes what it has found, so that the next look is at what a save has changed. */
  constructor(folder: string, { kept, told }: { readonly kept: string; readonly told: () => void }) {
    this.#folder = folder
    this.#kept = kept
    this.#told = told
  }

  document(): LoopDocument['types'] {
    return this.#found
  }

  async look(): Promise<void> {
    const compiler = join(this.#folder, 'node_modules/.bin/tsc')
    if (!existsSync(compiler) || !existsSync(join(this.#folder, 'tsconfig.json'))) return
    this.end()
    this.#found = { ...this.#found, isLooking: true }
    this.#told()
    const args = ['--noEmit', '--pretty', 'false', '--incremental', '--tsBuildInfoFile', this.#kept]
    const child = spawn(compiler, args, {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'ignore'],
      // A group: one process may have started the other.
      detached: true,
    })
    this.#compiler = child
    child.on('error', () => {})
    const [said] = await Promise.all([text(child.stdout), once(child, 'close')])
    if (this.#compiler !== child) return
    this.#compiler = null
    this.#found = { isLooking: false, faults: said.split('\n').filter((line) => /error TS\d+/.test(line)) }
    this.#told()
  }

  end(): void {
    const { pid } = this.#compiler ?? {}
    this.#compiler = null
    if (pid === undefined) return
    try {
      // It waits for its end at any other signal, and writes nothing.
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
}
