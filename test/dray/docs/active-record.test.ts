import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { mysqlUnavailable, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'
import { codeOf, readPage, root } from './page.ts'

/** The page's examples as one program; `// => x` becomes an assertion. */
function program(page: string): string {
  const blocks = codeOf(readPage(page))
  assert.ok(blocks.length >= 10)
  const lines = blocks.join('\n').split('\n')
  const asserted = lines.map((line) => {
    const [, statement, expected] = /^(\S.*?)\s*\/\/ => (.*)$/.exec(line) ?? []
    return statement === undefined ? line : `assert.deepEqual(${statement.replace(/^;/, '')}, ${expected});`
  })
  return [`import assert from 'node:assert/strict'`, ...asserted, `await shop.close()`].join('\n')
}

async function runExamples(url: string): Promise<void> {
  // Inside the project, so that its packages resolve.
  const folder = await mkdtemp(join(root, 'test/dray/docs/.examples-'))
  try {
    const file = join(folder, 'examples.ts')
    await writeFile(file, program('docs/active-record.md'))
    await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
      cwd: root,
      env: { ...process.env, SHOP_DATABASE_URL: url, NODE_TEST_CONTEXT: undefined },
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

test('the examples of docs/active-record.md give what they say on PostgreSQL', async () => {
  const server = await startPostgres()
  try {
    await runExamples(await server.createDatabase())
  } finally {
    await server.stop()
  }
})

test('the examples of docs/active-record.md give what they say on MariaDB', {
  skip: mysqlUnavailable ?? false,
}, async () => {
  const server = await startMysqlServer()
  try {
    await runExamples(await server.createDatabase())
  } finally {
    await server.stop()
  }
})

test('the examples of docs/active-record.md give what they say on SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dray-examples-'))
  try {
    await runExamples(`sqlite:${join(folder, 'shop.db')}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
