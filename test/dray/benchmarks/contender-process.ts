import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Engine } from './contenders/contender.ts'
import type { Answer, Order } from './contenders/serve.ts'
import { progress } from './measure.ts'

/** A library in a process of its own: its heap, its code and its connection disturb no other. */
export class ContenderProcess {
  readonly name: string
  rssMegabytes = 0
  readonly #child: ChildProcess
  #settle: { resolve(answer: Answer): void; reject(error: Error): void } | null = null

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#child = child
    child.on('message', (answer) => this.#settle?.resolve(answer as Answer))
    child.on('exit', (code) => this.#settle?.reject(new Error(`the process of ${name} ended with ${code}`)))
  }

  static async start(name: string, engine: Engine, url: string): Promise<ContenderProcess> {
    const file = name === 'dray' ? 'dray-contender.ts' : `contenders/${name}.ts`
    const child = fork(join(import.meta.dirname, file), [engine, url], {
      execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 2, 2, 'ipc'],
      env: { ...process.env, TZ: 'UTC' },
    })
    const contender = new ContenderProcess(name, child)
    await contender.#answer()
    return contender
  }

  #answer(): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
  }

  /** The milliseconds that the work took, in its process. */
  async run(order: Order): Promise<number> {
    const answer = this.#answer()
    this.#child.send(order)
    const { milliseconds, rssMegabytes, error } = await answer
    if (error !== undefined) throw new Error(`${this.name}, ${order.work}: ${error}`)
    this.rssMegabytes = Math.max(this.rssMegabytes, rssMegabytes)
    return milliseconds
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
    progress(`  ${this.name}: up to ${this.rssMegabytes} MB resident`)
  }
}
