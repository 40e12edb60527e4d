import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Progress } from 'dray/internal/pipeline/services.ts'
import { errorOf, type RuntimeFailure } from './function-error.ts'
import { RuntimeApi } from './runtime-api.ts'

/** A function as it is deployed. */
export interface IsolatedFunction {
  readonly name: string
  /** Its bundle: a folder with `index.mjs`. */
  readonly folder: string
  /** The variables that the stack sets, and no others. */
  readonly environment: Readonly<Record<string, string>>
}

export interface InstanceListeners {
  readonly onProgress?: ((event: Progress) => void) | undefined
  /** Each line that the function writes to stdout or stderr. */
  readonly onLog?: ((line: string) => void) | undefined
}

export const REGION = 'eu-north-1'
const MEMORY_SIZE = '1769'

interface Call {
  readonly requestId: string
  readonly timeoutSeconds: number
  resolve(output: unknown): void
  reject(error: Error): void
}

/** One execution environment: a process that runs one call at a time, and the Runtime API that it talks to. */
export class Instance {
  readonly function: IsolatedFunction
  /** When the process is gone. */
  readonly ended: Promise<void>
  readonly #api: RuntimeApi
  readonly #child: Promise<ChildProcess>
  readonly #listeners: InstanceListeners
  #call: Call | null = null
  #timer: NodeJS.Timeout | undefined
  #usable = true

  constructor(isolated: IsolatedFunction, listeners: InstanceListeners = {}) {
    this.function = isolated
    this.#listeners = listeners
    this.#api = new RuntimeApi({
      onTaken: (requestId) => this.#startTimer(requestId),
      onResponse: (requestId, body) => this.#settle(requestId)?.resolve(JSON.parse(body)),
      onError: (requestId, failure) => this.#settle(requestId)?.reject(errorOf(failure)),
      onInitError: (failure) => this.#end(failure),
    })
    this.#child = this.#api.start().then((address) => this.#spawn(address))
    this.ended = this.#child.then(
      (child) => new Promise((resolve) => child.once('close', (code, signal) => resolve(this.#closed(code, signal)))),
    )
  }

  /** Whether it can take another call. */
  get usable(): boolean {
    return this.#usable
  }

  /** Runs one call; rejects with an error of the name that Lambda would report. */
  invoke(payload: unknown, timeoutSeconds: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const requestId = randomUUID()
      this.#call = { requestId, timeoutSeconds, resolve, reject }
      const event = JSON.stringify(payload) ?? 'null'
      this.#api.invoke({ requestId, event, functionArn: arnOf(this.function.name), timeoutSeconds })
      this.#child.catch(reject)
    })
  }

  /** Ends the process at once; a call that runs is rejected as one that Lambda has lost. */
  async kill(): Promise<void> {
    this.#usable = false
    ;(await this.#child).kill('SIGKILL')
    await this.ended
  }

  #spawn(address: string): ChildProcess {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'bootstrap.ts')],
      {
        cwd: this.function.folder,
        env: { ...environmentOf(this.function, address), DRAY_RUNTIME_TOKEN: this.#api.token },
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      },
    )
    for (const output of [child.stdout, child.stderr]) {
      if (output) createInterface(output).on('line', (line) => this.#listeners.onLog?.(line))
    }
    child.on('message', (event) => this.#listeners.onProgress?.(event as Progress))
    return child
  }

  #startTimer(requestId: string): void {
    const call = this.#call
    if (call === null || call.requestId !== requestId) return
    this.#timer = setTimeout(() => {
      const seconds = call.timeoutSeconds.toFixed(2)
      const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${seconds} seconds`
      this.#end({ errorType: 'Sandbox.Timedout', errorMessage })
    }, call.timeoutSeconds * 1000)
  }

  #settle(requestId: string): Call | null {
    const call = this.#call
    if (call === null || call.requestId !== requestId) return null
    clearTimeout(this.#timer)
    this.#call = null
    return call
  }

  /** Nothing of this process is used again, as on Lambda after a timeout or a failed start. */
  #end(failure: RuntimeFailure): void {
    this.#usable = false
    if (this.#call) this.#settle(this.#call.requestId)?.reject(errorOf(failure))
    this.#child.then((child) => child.kill('SIGKILL')).catch(() => undefined)
  }

  #closed(code: number | null, signal: NodeJS.Signals | null): void {
    this.#usable = false
    this.#api.stop()
    if (this.#call === null) return
    const how = signal === null ? `exit status ${code}` : `signal: ${signal}`
    const errorMessage = `RequestId: ${this.#call.requestId} Error: Runtime exited with error: ${how}`
    this.#settle(this.#call.requestId)?.reject(errorOf({ errorType: 'Runtime.ExitError', errorMessage }))
  }
}

function arnOf(functionName: string): string {
  return `arn:aws:lambda:${REGION}:000000000000:function:${functionName}`
}

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime */
function environmentOf({ name, folder, environment }: IsolatedFunction, address: string): Record<string, string> {
  return {
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'isolated',
    AWS_SECRET_ACCESS_KEY: 'isolated',
    AWS_SESSION_TOKEN: 'isolated',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: MEMORY_SIZE,
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: `local/[$LATEST]${randomUUID().replaceAll('-', '')}`,
    AWS_LAMBDA_RUNTIME_API: address,
    LAMBDA_TASK_ROOT: folder,
    _HANDLER: 'index.handler',
    ...environment,
  }
}
