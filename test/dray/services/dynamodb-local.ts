import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The npm package that brings Amazon's DynamoDB Local, 57 MB, along; it is no dependency of the project. */
const CARRIER = 'amplify-dynamodb-simulator@2.9.30'
const home = join(tmpdir(), `dray-${CARRIER.replace('@', '-')}`)

/** Why tests against DynamoDB Local are skipped, or null. */
export const withoutDynamoDbLocal: string | null =
  process.env.DRAY_PARITY === '1' ? null : 'DynamoDB Local is fetched and started (Java 17) with DRAY_PARITY=1 only.'

export interface DynamoDbLocal {
  readonly endpoint: string
  stop(): Promise<void>
}

/**
 * Amazon's own DynamoDB Local in memory, which ends with this process; fetched by npm into a temporary folder at its
 * first use.
 */
export async function startDynamoDbLocal(): Promise<DynamoDbLocal> {
  await fetchOnce()
  const port = await freePort()
  const java = [
    ...['java', `-Djava.library.path=${join(home, 'DynamoDBLocal_lib')}`, '-jar', join(home, 'DynamoDBLocal.jar')],
    ...['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)],
  ]
  // When this process ends, in whatever way, `cat` sees the end of its input and the server is killed.
  const script = '"$@" & server=$!; cat >/dev/null; kill -9 $server'
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...java], {
    // It leaves a file where it is started.
    cwd: home,
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  const ended = once(child, 'exit')
  const endpoint = `http://127.0.0.1:${port}`
  const stop = async () => {
    child.stdin.end()
    await ended
  }
  try {
    await answers(endpoint)
    return { endpoint, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function fetchOnce(): Promise<void> {
  if (existsSync(join(home, 'DynamoDBLocal.jar'))) return
  const folder = await mkdtemp(`${home}-`)
  try {
    await run('npm', ['pack', CARRIER, '--silent', '--pack-destination', folder], { cwd: folder })
    const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
    await mkdir(join(folder, 'package'))
    await run('tar', ['xzf', join(folder, archive ?? ''), '-C', folder, 'package/emulator'])
    await rename(join(folder, 'package/emulator'), home).catch((error: unknown) => {
      // Another test file was faster.
      if (!existsSync(join(home, 'DynamoDBLocal.jar'))) throw error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Any answer will do: without a signature it is a refusal. */
async function answers(endpoint: string): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    try {
      await fetch(endpoint)
      return
    } catch (error) {
      if (Date.now() > deadline) throw new Error('DynamoDB Local did not start; is Java 17 there?', { cause: error })
      await delay(100)
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
