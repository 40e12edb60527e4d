import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { logFolder, projectFolder } from '#infra/local/home.ts'
import { type ProgressView, RunProgress } from '#infra/local/run-progress.ts'
import { createWorkers, type Workers } from '#infra/local/workers.ts'
import { toStatesLanguage, type Workflow } from '#shared/workflow/index.ts'

export interface WorkerSession {
  readonly workers: Workers
  readonly progress: RunProgress
  /** What the handlers logged, one JSON document a line. */
  readonly logFile: string
  close(): Promise<void>
}

/** Threads for one run; their logs go to a file of the run, and to stderr where `echo` is wanted. */
export function startWorkers(options: {
  readonly home: string
  readonly id: string
  readonly workflow: Workflow
  readonly view: ProgressView
  readonly echo: boolean
}): WorkerSession {
  const { home, id, workflow, view, echo } = options
  const logFile = join(logFolder(home), `${id}.jsonl`)
  const log = createWriteStream(logFile, { mode: 0o600 })
  const progress = new RunProgress(
    workflow.steps.map((step) => step.name),
    view,
  )
  const workers = createWorkers({
    onProgress: (event) => progress.rows(event),
    onLog: (line) => {
      log.write(`${line}\n`)
      if (echo) process.stderr.write(`${line}\n`)
    },
  })
  workers.warm(toStatesLanguage(workflow).functions.map(({ handler }) => join(projectFolder, handler)))
  return {
    workers,
    progress,
    logFile,
    async close() {
      await workers.close()
      log.end()
      await finished(log)
    },
  }
}
