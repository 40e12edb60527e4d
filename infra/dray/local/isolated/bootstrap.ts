import { existsSync } from 'node:fs'
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

/*
 * What Lambda's nodejs24.x runtime does, and no more: it loads the handler that _HANDLER names out of LAMBDA_TASK_ROOT,
 * asks the Runtime API for calls, one at a time, and tells how each ended. It imports nothing of the project: what the
 * bundle lacks is missing here, too. https://github.com/aws/aws-lambda-nodejs-runtime-interface-client
 */

type Handler = (event: unknown, context: object) => unknown

const { AWS_LAMBDA_RUNTIME_API: api = '', _HANDLER: handlerName = '', LAMBDA_TASK_ROOT: taskRoot = '' } = process.env
const authorization = process.env.DRAY_RUNTIME_TOKEN ?? ''
// A function has the variables that it has on AWS, and no others.
delete process.env.DRAY_RUNTIME_TOKEN
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
let current: string | null = null

// For progress bars; Lambda has no such thing, and no handler depends on it.
Object.assign(globalThis, { drayProgress: (event: unknown) => process.connected && process.send?.(event) })
// The command that this serves has ended, however that was.
process.on('disconnect', () => process.exit(1))
process.on('uncaughtException', (error) => die(error, 129))
process.on('unhandledRejection', (reason) => {
  const error = reason instanceof Error ? reason : new Error(String(reason))
  die(Object.assign(new Error(`${error.name}: ${error.message}`), { name: 'Runtime.UnhandledPromiseRejection' }), 128)
})

await serve(await loaded())

async function loaded(): Promise<Handler> {
  try {
    return await load()
  } catch (error) {
    await tell('/init/error', error)
    process.exit(1)
  }
}

async function load(): Promise<Handler> {
  const [, file = '', name = ''] = /^([^.]*)\.(.*)$/.exec(handlerName) ?? []
  if (file === '' || name === '') throw named('Runtime.MalformedHandlerName', `Bad handler: ${handlerName}`)
  const path = ['', '.js', '.mjs', '.cjs'].map((end) => join(taskRoot, `${file}${end}`)).find(existsSync)
  if (path === undefined) throw named('Runtime.ImportModuleError', `Error: Cannot find module '${file}'`)
  const module = await import(pathToFileURL(path).href).catch((error: Error) => {
    if (error instanceof SyntaxError) throw named('Runtime.UserCodeSyntaxError', String(error))
    const code = (error as NodeJS.ErrnoException).code
    throw code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
      ? named('Runtime.ImportModuleError', String(error))
      : error
  })
  const handler = module[name]
  if (handler === undefined) throw named('Runtime.HandlerNotFound', `${handlerName} is undefined or not exported`)
  if (typeof handler !== 'function') throw named('Runtime.HandlerNotFound', `${handlerName} is not a function`)
  if (handler.length >= 3) {
    throw named(
      'Runtime.CallbackHandlerDeprecated',
      'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24.',
    )
  }
  return handler
}

async function serve(handler: Handler): Promise<never> {
  for (;;) {
    const { headers, body } = await ask('GET', '/invocation/next')
    const requestId = String(headers['lambda-runtime-aws-request-id'])
    current = requestId
    process.env._X_AMZN_TRACE_ID = String(headers['lambda-runtime-trace-id'])
    try {
      const result = await handler(JSON.parse(body), contextOf(headers, requestId))
      await ask('POST', `/invocation/${requestId}/response`, JSON.stringify(result === undefined ? null : result))
    } catch (error) {
      await tell(`/invocation/${requestId}/error`, error)
    }
    current = null
  }
}

/**
 * https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html, without what Node 24 has lost: done, succeed, fail.
 */
function contextOf(headers: IncomingHttpHeaders, awsRequestId: string): object {
  const { AWS_LAMBDA_FUNCTION_NAME, AWS_LAMBDA_FUNCTION_VERSION, AWS_LAMBDA_FUNCTION_MEMORY_SIZE } = process.env
  const { AWS_LAMBDA_LOG_GROUP_NAME, AWS_LAMBDA_LOG_STREAM_NAME } = process.env
  const deadline = Number(headers['lambda-runtime-deadline-ms'])
  return {
    functionVersion: AWS_LAMBDA_FUNCTION_VERSION,
    functionName: AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: undefined,
    identity: undefined,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  }
}

async function tell(path: string, thrown: unknown): Promise<void> {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const failure = {
    errorType: error.name,
    errorMessage: error.message,
    trace: error.stack?.split('\n') ?? [],
  }
  await ask('POST', path, JSON.stringify(failure), { 'Lambda-Runtime-Function-Error-Type': error.name })
}

function die(error: Error, code: number): void {
  process.stderr.write(`${error.stack}\n`)
  const told = current === null ? Promise.resolve() : tell(`/invocation/${current}/error`, error)
  told.catch(() => undefined).finally(() => process.exit(code))
}

function ask(
  method: 'GET' | 'POST',
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<{ readonly headers: IncomingHttpHeaders; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `http://${api}/2018-06-01/runtime${path}`,
      {
        method,
        agent,
        headers: { authorization, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      },
      (response) => {
        text(response).then((answer) => resolve({ headers: response.headers, body: answer }), reject)
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name })
}
