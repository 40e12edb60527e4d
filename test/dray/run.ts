import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { compileCache } from 'dray-infra/internal/bundle/compile-cache.ts'
import { makeBundle } from 'dray-infra/internal/bundle/make-bundle.ts'
import { CLOUD_PART, ENGINES_PART, longParts, mysqlParts } from './parts.ts'
import { startMariaDB } from './services/mariadb.ts'
import { startMySQL } from './services/mysql.ts'
import type { TestMysqlServer, UnavailableServer } from './services/mysql-process.ts'
import { startPostgres } from './services/postgres.ts'

/*
 * `npm test [-- files and options of node --test]`: starts each database server once and runs the tests of both owners
 * over them, those that speak MySQL on MariaDB. `--mysql` runs the files that are named on MySQL instead. `--mine` runs
 * the user's tests alone, and starts no server. `npm run test:long [-- <part>]` runs what has a part of its own, and
 * the suites that have a long form.
 */

/** Files that run in one go, and what they run on. */
interface Pass {
  readonly files: readonly string[]
  readonly isLong?: boolean
  readonly isOnMysql?: boolean
}

const OWN_OPTIONS = ['--mine', '--long', '--mysql']
const given = process.argv.slice(2)
const options = given.filter((argument) => argument.startsWith('-') && !OWN_OPTIONS.includes(argument))
const named = given.filter((argument) => !argument.startsWith('-'))

if (given.includes('--mine')) {
  process.exitCode = await runTests({ files: named.length > 0 ? named : testFiles().filter(isMine) }, {})
} else await runOnServers(given.includes('--long') ? passesOfParts(named) : passes(named))

function passes(files: readonly string[]): Pass[] {
  if (given.includes('--mysql')) return files.length > 0 ? [{ files, isOnMysql: true }] : passesOfParts(mysqlParts)
  if (files.length > 0) return [{ files }]
  const later = new Set(globSync([ENGINES_PART, CLOUD_PART].flatMap((part) => longParts[part] ?? [])))
  return [{ files: testFiles().filter((file) => !later.has(file)) }]
}

/** The passes of the parts that are named, of all by default; a file may be named, too. */
function passesOfParts(names: readonly string[]): Pass[] {
  const parts = names.length > 0 ? names : Object.keys(longParts)
  const isOnMysql = (name: string) => mysqlParts.includes(name)
  const filesOf = (some: readonly string[]) => some.flatMap((name) => longParts[name] ?? [name])
  const files = filesOf(parts.filter((name) => !isOnMysql(name)))
  const onMysql = filesOf(parts.filter(isOnMysql))
  return [
    ...(files.length > 0 ? [{ files, isLong: true }] : []),
    ...(onMysql.length > 0 ? [{ files: onMysql, isOnMysql: true }] : []),
  ]
}

function testFiles(): string[] {
  const left = (name: string) => name === 'node_modules' || name === 'projects'
  return globSync('{functions,infra,shared,test}/**/*.test.ts', { exclude: left }).sort()
}

/** A folder named `dray` is the framework's, everything else the user's. */
function isMine(file: string): boolean {
  return !file.split('/').includes('dray')
}

async function runOnServers(wanted: readonly Pass[]): Promise<void> {
  // Before commands are run by the hundred.
  await makeBundle()
  const postgres = await startPostgres()
  const mariadb = await startMariaDB()
  const mysql = wanted.some(({ isOnMysql }) => isOnMysql) ? await startMySQL() : null
  const environment = {
    TEST_POSTGRES_URL: postgres.url,
    ...variablesOf('MARIADB', mariadb),
    ...(mysql === null ? {} : variablesOf('MYSQL', mysql)),
  }
  const codes: number[] = []
  for (const pass of wanted) codes.push(await runTests(pass, environment))
  process.exitCode = Math.max(...codes)
  for (const [name, server] of [['MariaDB', mariadb] as const, ['MySQL', mysql] as const]) {
    if (server !== null && 'unavailable' in server) reportSkipped(name, server.unavailable)
    else await server?.stop()
  }
  await postgres.stop()
}

function variablesOf(name: string, server: TestMysqlServer | UnavailableServer): NodeJS.ProcessEnv {
  return 'unavailable' in server
    ? { [`TEST_${name}_UNAVAILABLE`]: server.unavailable }
    : { [`TEST_${name}_URL`]: server.url }
}

async function runTests({ files, isLong, isOnMysql }: Pass, environment: NodeJS.ProcessEnv): Promise<number> {
  const tests = spawn(process.execPath, [...nodeOptions(isLong), ...options, ...files], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      // Each file is a process of its own, and most of them import the same modules.
      NODE_COMPILE_CACHE: compileCache,
      ...process.env,
      ...environment,
      ...(isLong ? { DRAY_LONG: '1' } : {}),
      ...(isOnMysql ? { TEST_ENGINE: 'mysql' } : {}),
    },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => tests.kill(signal))
  const [code, signal] = (await once(tests, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? (signal === 'SIGINT' ? 130 : 1)
}

function nodeOptions(isLong = false): string[] {
  // More files than processors: most of them wait for a database now and then.
  const concurrency = availableParallelism() + 2
  const reporters = ['spec', join(import.meta.dirname, 'seconds-reporter.ts')]
  return [
    '--disable-warning=ExperimentalWarning',
    '--test',
    ...reporters.flatMap((reporter) => [`--test-reporter=${reporter}`, '--test-reporter-destination=stdout']),
    `--test-concurrency=${concurrency}`,
    // For each file, in ms: a test that hangs fails instead of holding up the rest for ever.
    `--test-timeout=${process.env.CI === 'true' ? 1_200_000 : isLong ? 7_200_000 : 1_800_000}`,
  ]
}

function reportSkipped(name: string, reason: string): void {
  if (process.env.CI === 'true') {
    process.exitCode = 1
    process.stdout.write('The run has failed: CI must not skip suites.\n')
  }
  process.stdout.write(`The suites over ${name} were SKIPPED: ${reason.replace(/\s+/g, ' ').trim()}\n`)
}
