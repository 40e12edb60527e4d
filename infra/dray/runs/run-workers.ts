import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import { everyFunction, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { logFolder } from '#dray-infra/local/home.ts'
import type { InstanceListeners } from '#dray-infra/local/isolated/instance.ts'
import { createWorkers, type Workers } from '#dray-infra/local/workers.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { projectFolder } from '#dray-infra/project/project-folder.ts'
import type { AskedRun } from './asked-run.ts'
import { type AskedSteps, stepsOf } from './asked-steps.ts'
import { openLog, pruneLogs } from './run-log.ts'
import { type ProgressView, RunProgress } from './run-progress.ts'

export interface WorkerSession {
  readonly workers: Workers
  readonly progress: RunProgress
  /** What the handlers logged, one JSON document a line. */
  readonly logFile: string
  close(): Promise<void>
}

/**
 * Threads for one run, or isolated processes; their logs go to a file of the run, and to `echo`.
 */
export async function startWorkers(options: {
  readonly home: string
  readonly id: string
  readonly asked: AskedRun
  readonly view: ProgressView
  readonly echo: ((line: string) => void) | null
  readonly isolated: boolean
  /** It is likely to have rows, so that a thread is started before there are any. */
  readonly expectsRows: boolean
}): Promise<WorkerSession> {
  const { home, id, asked, view, echo, isolated, expectsRows } = options
  const names = stepsOf(asked).map(({ name }) => name)
  const folder = logFolder(home)
  pruneLogs(folder)
  const logFile = join(folder, `${id}.jsonl`)
  const log = openLog(logFile, (text) => view.note(text))
  const progress = new RunProgress(names, view)
  const listeners = {
    onProgress: (event: Progress) => progress.rows(event),
    onLog: (line: string) => {
      log.write(line)
      echo?.(line)
    },
  }
  const workers = isolated
    ? await isolatedWorkers(home, asked.mode, listeners)
    : createWorkers({ ...listeners, isHere: isOfFramework })
  workers.warm(
    handlersOf(asked).map((handler) => join(projectFolder, handler)),
    expectsRows,
  )
  return {
    workers,
    progress,
    logFile,
    async close() {
      await workers.close()
      await log.end()
    },
  }
}

/** Rows, and the code of a transform or a task, are worked on in threads, which can be ended. */
function isOfFramework(handler: string): boolean {
  return basename(dirname(handler)) === 'dray'
}

/** The functions that a run calls, by their files in the project. */
function handlersOf(asked: AskedSteps): readonly string[] {
  const steps = stepsOf(asked).map(({ name }) => name)
  const handlers = everyFunction(toStatesLanguage(asked.workflow)).map(({ handler }) => handler)
  return handlers.filter((handler) => ['dray', ...steps].includes(basename(dirname(handler))))
}

/** Throws `Configuration` where a function of a run has no file. */
export function refuseMissingHandlers(asked: AskedSteps): void {
  const missing = handlersOf(asked).filter((handler) => !existsSync(join(projectFolder, handler)))
  if (missing.length === 0) return
  const folder = missing.map((file) => dirname(file)).find((one) => !existsSync(join(projectFolder, one)))
  if (folder !== undefined) {
    throw new ConfigurationError(
      `A workflow runs ${basename(folder)}, and there is no folder ${folder}, so nothing was run: a step lies in the folder of its name; rename the folder, or the step.`,
    )
  }
  throw new ConfigurationError(
    `${missing.join(', ')} ${missing.length === 1 ? 'is a Lambda' : 'are Lambdas'} of this run and not there, so nothing was run; \`npx dray doctor\` says what belongs into each.`,
  )
}

async function isolatedWorkers(home: string, mode: RunMode | null, listeners: InstanceListeners): Promise<Workers> {
  const { startIsolated } = await import('#dray-infra/local/isolated/index.ts')
  const needsEarlier = mode !== null && ('resume' in mode || 'replay' in mode)
  const project = await loadProject()
  return startIsolated({ home, project, environment: process.env, needsEarlier, ...listeners })
}
