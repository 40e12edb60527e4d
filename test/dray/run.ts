import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { longParts } from './parts.ts'
import { startMariaDB, type TestMariaDB, type UnavailableMariaDB } from './services/mariadb.ts'
import { startPostgres } from './services/postgres.ts'

/*
 * `npm test [-- files and options of node --test]`: starts each database server once and runs the tests of both owners
 * over them. `--mine` runs the user's tests alone, and starts no server. `npm run test:long [-- <part>]` runs the
 * suites that have a long form.
 */

const given = process.argv.slice(2)
const mine = given.includes('--mine')
const long = given.includes('--long')
const options = given.filter((argument) => argument.startsWith('-') && !['--mine', '--long'].includes(argument))
const named = given.filter((argument) => !argument.startsWith('-'))

if (mine) process.exitCode = await runTests(named.length > 0 ? named : testFiles().filter(isMine), {})
else await runOnServers(long ? filesOfParts(named) : named.length > 0 ? named : testFiles())

/** The files of the parts that are named, of all by default; a file may be named, too. */
function filesOfParts(names: readonly string[]): string[] {
  return (names.length > 0 ? names : Object.keys(longParts)).flatMap((name) => longParts[name] ?? [name])
}

function testFiles(): string[] {
  const left = (name: string) => name === 'node_modules' || name === 'projects'
  return globSync('{functions,infra,shared,test}/**/*.test.ts', { exclude: left }).sort()
}

/** A folder named `dray` is the framework's, everything else the user's. */
function isMine(file: string): boolean {
  return !file.split('/').includes('dray')
}

async function runOnServers(wanted: readonly string[]): Promise<void> {
  const postgres = await startPostgres()
  const mariadb = await startMariaDB()
  process.exitCode = await runTests(wanted, {
    TEST_POSTGRES_URL: postgres.url,
    ...variablesOf(mariadb),
    ...(long ? { DRAY_LONG: '1' } : {}),
  })
  if ('unavailable' in mariadb) reportSkipped(mariadb.unavailable)
  else await mariadb.stop()
  await postgres.stop()
}

function variablesOf(mariadb: TestMariaDB | UnavailableMariaDB): NodeJS.ProcessEnv {
  return 'unavailable' in mariadb ? { TEST_MYSQL_UNAVAILABLE: mariadb.unavailable } : { TEST_MYSQL_URL: mariadb.url }
}

async function runTests(wanted: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const tests = spawn(process.execPath, [...nodeOptions(), ...options, ...wanted], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      // Each file is a process of its own, and most of them import the same modules. It is where Node keeps it by
      // itself.
      NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
      ...process.env,
      ...environment,
    },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => tests.kill(signal))
  const [code, signal] = (await once(tests, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? (signal === 'SIGINT' ? 130 : 1)
}

function nodeOptions(): string[] {
  // One file more than processors: most of them wait for a database now and then.
  const concurrency = availableParallelism() + 1
  const reporters = ['spec', join(import.meta.dirname, 'seconds-reporter.ts')]
  return [
    '--disable-warning=ExperimentalWarning',
    '--test',
    ...reporters.flatMap((reporter) => [`--test-reporter=${reporter}`, '--test-reporter-destination=stdout']),
    `--test-concurrency=${concurrency}`,
    // For each file, in ms: a test that hangs fails instead of holding up the rest for ever.
    `--test-timeout=${long ? 7_200_000 : 1_800_000}`,
  ]
}

function reportSkipped(reason: string): void {
  if (process.env.CI === 'true') {
    process.exitCode = 1
    process.stdout.write('The run has failed: CI must not skip suites.\n')
  }
  process.stdout.write(`MySQL/MariaDB suites were SKIPPED: ${reason.replace(/\s+/g, ' ').trim()}\n`)
}
