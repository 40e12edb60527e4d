import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { Instance, type InstanceListeners } from 'dray-infra/internal/local/isolated/instance.ts'

/** Modules as a bundle would be; each is the `index.mjs` of a function of its name. */
const modules = {
  echo: `let calls = 0
    export const handler = async (event, context) => ({ event, calls: ++calls, folder: process.cwd(),
      name: context.functionName, id: context.awsRequestId, arn: context.invokedFunctionArn,
      remaining: context.getRemainingTimeInMillis(), offset: new Date().getTimezoneOffset() })`,
  environment: `export const handler = async () => process.env`,
  logs: `export const handler = async () => { console.log('a line'); console.error('another'); drayProgress({ rows: 7 }) }`,
  fails: `export const handler = async () => { throw Object.assign(new Error('the disk is full'), { name: 'Transient' }) }`,
  throws: `export const handler = async () => { throw 'no error at all' }`,
  exits: `export const handler = async () => process.exit(3)`,
  rejects: `export const handler = () => { Promise.reject(new TypeError('nobody waits')); return new Promise(() => {}) }`,
  waits: `export const handler = () => new Promise((resolve) => setTimeout(resolve, 3_600_000))`,
  large: `export const handler = async () => 'x'.repeat(7 * 1024 * 1024)`,
  callback: `export const handler = (event, context, callback) => callback(null, 1)`,
  imports: `import 'not-in-the-bundle'; export const handler = async () => 1`,
  broken: `export const handler = async () => {`,
  nameless: `export const other = async () => 1`,
} as const

let folder: string
const open: Instance[] = []

function instance(name: keyof typeof modules, listeners: InstanceListeners = {}): Instance {
  const created = new Instance({ name, folder: join(folder, name), environment: { ONLY: 'this' } }, listeners)
  open.push(created)
  return created
}

async function errorOf(name: keyof typeof modules, timeoutSeconds = 60): Promise<Error> {
  return instance(name)
    .invoke({}, timeoutSeconds)
    .then(
      (output) => assert.fail(`it gave ${JSON.stringify(output)}`),
      (error: Error) => error,
    )
}

describe('an isolated instance', () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-isolated-'))
    for (const [name, module] of Object.entries(modules)) {
      await mkdir(join(folder, name))
      await writeFile(join(folder, name, 'index.mjs'), module)
    }
  })
  afterEach(() => Promise.all(open.splice(0).map((created) => created.kill())))
  after(() => rm(folder, { recursive: true }))

  test('calls the handler with the event and the context that Lambda gives', async () => {
    const output = (await instance('echo').invoke({ id: 1, text: 'ä\u2028' }, 60)) as Record<string, unknown>

    assert.deepEqual(output.event, { id: 1, text: 'ä\u2028' })
    assert.equal(output.name, 'echo')
    assert.match(String(output.id), /^[0-9a-f-]{36}$/)
    assert.equal(output.arn, 'arn:aws:lambda:eu-north-1:000000000000:function:echo')
    assert.ok(Number(output.remaining) > 55_000 && Number(output.remaining) <= 60_000)
    assert.equal(output.folder, join(folder, 'echo'))
    assert.equal(output.offset, 0)
  })

  test('keeps its modules for the next call', async () => {
    const warm = instance('echo')

    await warm.invoke(1, 60)
    const second = (await warm.invoke(2, 60)) as { event: number; calls: number }

    assert.deepEqual([second.event, second.calls], [2, 2])
  })

  test('has the variables of its function and of Lambda, and none of the command', async () => {
    process.env.TILL_DATABASE_URL = 'postgres://of-the-command/till'

    const variables = (await instance('environment').invoke({}, 60)) as Record<string, string>

    delete process.env.TILL_DATABASE_URL
    const own = Object.keys(variables).filter((name) => !/^(AWS_|LAMBDA_|_)/.test(name))
    assert.deepEqual(own.toSorted(), ['LANG', 'ONLY', 'PATH', 'TZ'])
    assert.equal(variables._HANDLER, 'index.handler')
    assert.equal(variables.AWS_EXECUTION_ENV, 'AWS_Lambda_nodejs24.x')
    assert.match(variables._X_AMZN_TRACE_ID ?? '', /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/)
  })

  test('passes on what the function logs and how far it is', async () => {
    const lines: string[] = []
    const progress: unknown[] = []
    const logging = instance('logs', { onLog: (line) => lines.push(line), onProgress: (event) => progress.push(event) })

    const output = await logging.invoke({}, 60)
    await logging.kill()

    assert.equal(output, null)
    assert.deepEqual(lines.toSorted(), ['a line', 'another'])
    assert.deepEqual(progress, [{ rows: 7 }])
  })

  test('reports an error by its name, its message and its trace', async () => {
    const error = await errorOf('fails')

    assert.equal(error.name, 'Transient')
    assert.equal(error.message, 'the disk is full')
    assert.match(error.stack ?? '', /fails\/index\.mjs:1/)
  })

  test('reports what is thrown and is no error', async () => {
    const error = await errorOf('throws')

    assert.deepEqual([error.name, error.message], ['Error', 'no error at all'])
  })

  test('is not used again when the process ends in the middle of a call', async () => {
    const exiting = instance('exits')

    await assert.rejects(exiting.invoke({}, 60), { name: 'Runtime.ExitError', message: /exit status 3$/ })

    assert.equal(exiting.usable, false)
  })

  test('reports a rejection that nobody handles', async () => {
    const error = await errorOf('rejects')

    assert.deepEqual([error.name, error.message], ['Runtime.UnhandledPromiseRejection', 'TypeError: nobody waits'])
  })

  test('is ended when the time of the function is over', async () => {
    const waiting = instance('waits')

    await assert.rejects(waiting.invoke({}, 1), { name: 'Sandbox.Timedout', message: /timed out after 1\.00 seconds$/ })

    await waiting.ended
    assert.equal(waiting.usable, false)
  })

  test('rejects the call that runs when it is killed', async () => {
    const waiting = instance('waits')
    const call = waiting.invoke({}, 60)
    const rejected = assert.rejects(call, { name: 'Runtime.ExitError', message: /signal: SIGKILL$/ })

    await waiting.kill()

    await rejected
  })

  test('refuses a response that Lambda would not pass on', async () => {
    assert.equal((await errorOf('large')).name, 'Function.ResponseSizeTooLarge')
  })

  for (const [name, type] of [
    ['callback', 'Runtime.CallbackHandlerDeprecated'],
    ['imports', 'Runtime.ImportModuleError'],
    ['broken', 'Runtime.UserCodeSyntaxError'],
    ['nameless', 'Runtime.HandlerNotFound'],
  ] as const) {
    test(`reports ${type} of a function that cannot be loaded`, async () => {
      const error = await errorOf(name)

      assert.equal(error.name, type)
    })
  }
})
