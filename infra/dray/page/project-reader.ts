import { join } from 'node:path'
import { SHARE_ENV, Worker } from 'node:worker_threads'
import { usedBundle } from '#dray-infra/bundle/kept-bundle.ts'
import type { Answers, Question } from './project-answers.ts'

interface Waiting {
  resolve(answer: never): void
  reject(error: Error): void
}

/** A thread that has loaded the framework, and at its first question loads the user's files as they are then. */
class ProjectThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #asked = 0

  constructor() {
    this.#worker = new Worker(join(import.meta.dirname, 'project-thread.ts'), {
      workerData: { bundle: usedBundle() },
      // Where databases are is known when they are up.
      env: SHARE_ENV,
      stdout: true,
      stderr: true,
    })
    this.#worker.on('message', ({ id, answer, fault }) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (fault === undefined) waiting?.resolve(answer as never)
      else waiting?.reject(new Error(fault))
    })
    this.#worker.on('error', (error) => this.#fail(error as Error))
    this.#worker.on('exit', () => this.#fail(new Error('The thread that reads the project has ended.')))
    this.#worker.stdout.resume()
    this.#worker.stderr.resume()
  }

  ask(question: Question): Promise<never> {
    this.#asked += 1
    const id = this.#asked
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#worker.postMessage({ id, question })
    })
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

/** Asks the user's files, in threads: each change of a file has another one, which waits for it. */
export class ProjectReader {
  #current = new ProjectThread()
  #next: ProjectThread | null = null

  ask<K extends Question['kind']>(question: Question & { readonly kind: K }): Promise<Answers[K]> {
    return this.#current.ask(question)
  }

  /** A thread that will answer sooner than one that has to be started. */
  prepare(): void {
    this.#next ??= new ProjectThread()
  }

  /** Files have changed: from here on, answers are of what is there now. */
  renew(): void {
    void this.#current.end()
    this.#current = this.#next ?? new ProjectThread()
    this.#next = null
  }

  async close(): Promise<void> {
    await Promise.all([this.#current.end(), this.#next?.end()])
  }
}
