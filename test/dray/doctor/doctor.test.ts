import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { exitCodeOfDiagnosis } from 'dray-infra/internal/cli/doctor.ts'
import { type Services, startServices } from 'dray-infra/internal/local/services.ts'
import { startDray } from '#test/cli/dray-process.ts'
import { mysqlUnavailable } from '#test/services/mysql-server.ts'
import { writeProject } from '#test/services/small-project.ts'
import { ofConnections } from './connection-faults.ts'
import { edited } from './fault.ts'
import { checksOf, examined, execute, healthy, rowsOf } from './patient.ts'
import { ofProject } from './project-faults.ts'
import { ofRights } from './right-faults.ts'
import { changed, closeServers, home, inOrder, made, openServers, remove, source, target } from './servers.ts'
import { ofTables } from './table-faults.ts'
import { warned } from './warnings.ts'

describe('dray doctor', { skip: mysqlUnavailable ?? false }, () => {
  let services: Services
  before(async () => {
    await openServers()
    services = await startServices({ home, project: { databases: {} } })
  })
  after(async () => {
    await Promise.all([services.stop(), closeServers()])
    remove()
  })

  for (const { name, files: own, urls, line, remedy } of [...ofProject, ...ofConnections, ...ofRights, ...ofTables]) {
    test(`says what is broken, and the remedy: ${name}`, async () => {
      const bound = await (urls ?? inOrder)()

      const diagnosis = await examined({ home, urls: bound, ...(own === undefined ? {} : { files: own }) })

      const broken = checksOf(diagnosis, 'broken')
      const said = broken.find((one) => line.test(one))
      assert.ok(said, `${line} is not in:\n${broken.join('\n')}`)
      assert.match(said, remedy)
      assert.equal(exitCodeOfDiagnosis(diagnosis), 2)
    })
  }

  for (const { name, files: own, urls, now, line, remedy } of warned) {
    test(`warns, and finds nothing broken: ${name}`, async () => {
      const bound = await (urls ?? inOrder)()
      const patient = {
        home,
        urls: bound,
        ...(own === undefined ? {} : { files: own }),
        ...(now === undefined ? {} : { now }),
      }

      const diagnosis = await examined(patient)

      const warnings = checksOf(diagnosis, 'warning')
      const said = warnings.find((one) => line.test(one))
      assert.ok(said, `${line} is not in:\n${warnings.join('\n')}`)
      assert.match(said, remedy)
      assert.deepEqual(checksOf(diagnosis, 'broken'), [])
      assert.equal(exitCodeOfDiagnosis(diagnosis), 0)
    })
  }

  test('finds nothing on each engine where all is in order', async () => {
    for (const engine of ['sqlite', 'postgres', 'mysql'] as const) {
      const diagnosis = await examined({ home, urls: { src: await source(engine), dst: await target(engine) } })

      assert.deepEqual([...checksOf(diagnosis, 'broken'), ...checksOf(diagnosis, 'warning')], [], engine)
      assert.ok(checksOf(diagnosis, 'ok').length > 8)
    }
  })

  test('a fault of one database does not hide that of another, in the order of their names', async () => {
    const urls = { src: 'postgres://u:p@source.invalid/db', dst: changed(await made('postgres'), { port: '1' }) }

    const diagnosis = await examined({ home, urls })

    const subjects = diagnosis.sections.map(({ subject }) => subject)
    assert.deepEqual(subjects, ['machine', 'project', 'database dst', 'database src', 'pipeline orders'])
    assert.deepEqual(
      checksOf(diagnosis, 'broken').map((said) => said.split(': ', 2).join(' ')),
      ['database dst tcp', 'database src dns'],
    )
    assert.match(checksOf(diagnosis, 'unknown')[0] ?? '', /since src and dst cannot be connected to/)
  })

  test('changes nothing in a target', async () => {
    const urls = { src: await source('postgres'), dst: await target('postgres') }

    await examined({ home, urls })

    const tables = await rowsOf(
      urls.dst,
      "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    )
    assert.deepEqual(tables, [{ relname: 'order_fact' }])
  })

  test('prints a line for each check, and as JSON one document, with exit code 2 where something is broken', async () => {
    const project = writeProject(healthy)
    const urls = {
      SRC_DATABASE_URL: await source(),
      DST_DATABASE_URL: 'postgres://u:secret-of-the-test@warehouse.invalid/db',
    }
    const run = (...args: string[]) => startDray(home, ['doctor', ...args], urls, project.folder).ended

    const [text, json] = await Promise.all([run(), run('--json')])
    project.remove()

    assert.match(text.stdout, /^machine\n {2}✓ node: Node 2/)
    assert.match(
      text.stdout,
      /\n\ndatabase dst\n {2}✗ dns: dst: the host warehouse\.invalid is not known here \(\w+\), so [^\n]*\n\n/,
    )
    assert.match(text.stdout, /\n1 broken: a run would fail, 1 not found out \([\d.]+ s\)\.\n$/)
    const document = JSON.parse(json.stdout)
    assert.deepEqual([document.environment, document.healthy], ['local', false])
    const [check] = document.sections.find(({ subject }: { subject: string }) => subject === 'database dst').checks
    assert.deepEqual([check.check, check.verdict], ['dns', 'broken'])
    assert.deepEqual([text.code, json.code, text.stderr, json.stderr], [2, 2, '', ''])
    assert.doesNotMatch(text.stdout + json.stdout, /secret-of-the-test/)
  })

  test('dray plan refuses what is broken before it looks at rows, with exit code 2', async () => {
    const project = writeProject(healthy)
    const urls = { SRC_DATABASE_URL: await source(), DST_DATABASE_URL: await made('sqlite') }
    await execute(
      urls.DST_DATABASE_URL,
      'create table order_fact (id integer, status text, last_updated text not null)',
    )

    const { code, stdout, stderr } = await startDray(home, ['plan', 'orders'], urls, project.folder).ended
    project.remove()

    assert.match(
      stderr,
      /^dray: the run would fail, so nothing was started: pipeline orders: dst\.order_fact has no primary or unique key on id, .*; add one; the statements for it: `npx dray schema plan`\. `npx dray doctor` looks at all of it\.\n$/,
    )
    assert.deepEqual([code, stdout], [2, ''])
  })

  test('dray run refuses a database that cannot be used before a step begins, with exit code 2', async () => {
    const project = writeProject(healthy)
    const urls = { SRC_DATABASE_URL: await source(), DST_DATABASE_URL: changed(await made('postgres'), { port: '1' }) }

    const { code, stderr } = await startDray(home, ['run', '--progress', 'none'], urls, project.folder).ended
    project.remove()

    assert.match(
      stderr,
      /^dray: the run would fail, so nothing was started: dst: 127\.0\.0\.1:1 cannot be connected to/,
    )
    assert.equal(code, 2)
  })

  test('looks at five databases at once', async (context) => {
    const project = writeProject({
      ...healthy,
      ...edited(
        'infra/project.ts',
        "databases: { src: { embedded: 'sqlite' }",
        `databases: { src: { embedded: 'sqlite' }, ${['three', 'four', 'five'].map((name) => `${name}: { embedded: 'sqlite' }`).join(', ')}`,
      ),
    })
    const urls = Object.fromEntries(
      await Promise.all([
        ...['THREE', 'FOUR'].map(async (name) => [`${name}_DATABASE_URL`, await made('postgres')]),
        ...['FIVE'].map(async (name) => [`${name}_DATABASE_URL`, await made('mysql')]),
        source('postgres').then((url) => ['SRC_DATABASE_URL', url]),
        target('mysql').then((url) => ['DST_DATABASE_URL', url]),
      ]),
    )

    const { code, stdout } = await startDray(home, ['doctor', '--json'], urls, project.folder).ended
    project.remove()

    const { sections, seconds } = JSON.parse(stdout)
    assert.equal(sections.filter(({ subject }: { subject: string }) => subject.startsWith('database ')).length, 5)
    assert.equal(code, 0)
    context.diagnostic(`five databases in ${seconds.toFixed(2)} s`)
  })
})
