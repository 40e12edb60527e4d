import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMariaDB, type TestMariaDB, type UnavailableMariaDB } from './services/mariadb.ts'
import { startPostgres } from './services/postgres.ts'

/*
 * `npm test [-- files and options of node --test]`: starts each database server once and runs the tests over them.
 */

const given = process.argv.slice(2)
const options = given.filter((argument) => argument.startsWith('-'))
const files = given.filter((argument) => !argument.startsWith('-'))

const postgres = await startPostgres()
const mariadb = await startMariaDB()
process.exitCode = await runTests(postgres.url, mariadb)
if ('unavailable' in mariadb) reportSkipped(mariadb.unavailable)
else await mariadb.stop()
await postgres.stop()

async function runTests(postgresUrl: string, mariadb: TestMariaDB | UnavailableMariaDB): Promise<number> {
  const tests = spawn(
    process.execPath,
    [...nodeOptions(), ...options, ...(files.length > 0 ? files : ['test/**/*.test.ts'])],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        // Each file is a process of its own, and most of them import the same modules. It is where Node keeps it by itself.
        NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
        ...process.env,
        TEST_POSTGRES_URL: postgresUrl,
        ...('unavailable' in mariadb
          ? { TEST_MYSQL_UNAVAILABLE: mariadb.unavailable }
          : { TEST_MYSQL_URL: mariadb.url }),
      },
    },
  )
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => tests.kill(signal))
  const [code, signal] = (await once(tests, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? (signal === 'SIGINT' ? 130 : 1)
}

function nodeOptions(): string[] {
  const concurrency = Math.max(2, availableParallelism())
  return [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${concurrency}`,
    // For each file, in ms: a test that hangs fails instead of holding up the rest for ever.
    '--test-timeout=600000',
  ]
}

function reportSkipped(reason: string): void {
  if (process.env.CI === 'true') {
    process.exitCode = 1
    process.stdout.write('The run has failed: CI must not skip suites.\n')
  }
  process.stdout.write(`MySQL/MariaDB suites were SKIPPED: ${reason.replace(/\s+/g, ' ').trim()}\n`)
}
