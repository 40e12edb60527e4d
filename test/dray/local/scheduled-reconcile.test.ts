import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { startDray, temporaryHome } from '#test/cli/dray-process.ts'
import { fixtureFolder } from '#test/fixture-project.ts'
import { writeProject } from '#test/services/small-project.ts'

/* A workflow that compares tables, run by the command in worker threads, over files of SQLite. */

const files = {
  'infra/project.ts': `import { defineProject } from 'dray-infra'
  import { hourly, nightlyReconcile } from './workflows.ts'
export const project = defineProject({
  workflows: [hourly, nightlyReconcile], environments: {},
  databases: { plant: { embedded: 'sqlite' }, lake: { embedded: 'sqlite' } }, main: hourly,
})`,
  'infra/workflows.ts': `import { cron, reconcile, run, workflow } from 'dray/workflow'
  import { devices } from '#functions/devices/pipeline.ts'
  import { readings } from '#functions/readings/pipeline.ts'
export const hourly = workflow('hourly', { steps: [run(readings), run(devices)] })
export const nightlyReconcile = workflow('nightly-reconcile', {
  steps: [reconcile(readings), reconcile(devices, { failAbove: 0 })],
  schedule: cron('0 4 * * *', { timezone: 'Europe/Helsinki' }),
})`,
  'shared/models/models.ts': `import { bigint, database, text, timestamp } from 'dray'
const plant = database('plant')
const lake = database('lake')
const reading = { id: bigint().primaryKey(), label: text().nullable(), measuredAt: timestamp() }
const device = { code: text().primaryKey(), seenAt: timestamp() }
export class SourceReading extends plant.source('readings', reading) {}
export class TargetReading extends lake.table('readings', reading) {}
export class SourceDevice extends plant.source('devices', device) {}
export class TargetDevice extends lake.table('devices', device) {}`,
  'functions/readings/pipeline.ts': `import { changedSince, pipeline, upsert } from 'dray'
  import { SourceReading, TargetReading } from '#models/models.ts'
export const readings = pipeline('readings', {
  extract: changedSince(SourceReading, { cursor: 'measuredAt', zone: 'UTC' }),
  transform: ({ id, label, measuredAt }) => ({ id, label, measuredAt }),
  load: upsert(TargetReading, { by: 'id' }),
})`,
  'functions/devices/pipeline.ts': `import { changedSince, pipeline, upsert } from 'dray'
  import { SourceDevice, TargetDevice } from '#models/models.ts'
export const devices = pipeline('devices', {
  extract: changedSince(SourceDevice, { cursor: 'seenAt', zone: 'UTC' }),
  transform: ({ code, seenAt }) => ({ code, seenAt }),
  load: upsert(TargetDevice, { by: 'code' }),
})`,
  ...Object.fromEntries(
    ['readings', 'devices'].flatMap((name) =>
      ['extract', 'transform', 'load'].map((stage) => [
        `functions/${name}/${stage}.ts`,
        `import { ${stage}Handler } from 'dray/lambda'
  import { ${name} } from './pipeline.ts'
export const handler = ${stage}Handler(${name})`,
      ]),
    ),
  ),
}

describe('a scheduled reconciliation on a laptop', () => {
  const { home, remove } = temporaryHome()
  const project = writeProject(files)
  cpSync(join(fixtureFolder, 'functions/dray'), join(project.folder, 'functions/dray'), { recursive: true })
  const file = (name: string) => join(home, `${name}.db`)
  const environment = { PLANT_DATABASE_URL: `sqlite:${file('plant')}`, LAKE_DATABASE_URL: `sqlite:${file('lake')}` }
  const dray = (...args: string[]) => startDray(home, args, environment, project.folder).ended

  function statement(name: string, sql: string): void {
    const database = new DatabaseSync(file(name))
    database.exec(sql)
    database.close()
  }

  before(async () => {
    statement(
      'plant',
      `create table readings (id integer primary key, label text, measured_at text not null);
       create table devices (code text primary key, seen_at text not null);
       insert into readings values (1, 'a', '2024-01-01 10:00:00'), (2, 'b', '2024-01-02 10:00:00');
       insert into devices values ('x', '2024-01-01 10:00:00')`,
    )
    const first = await dray('run', 'hourly', '--progress', 'none')
    assert.equal(first.code, 0, first.stderr)
    statement('plant', `insert into readings values (3, 'imported', '2020-01-01 00:00:00')`)
    const second = await dray('run', 'hourly', '--progress', 'none')
    assert.equal(second.code, 0, second.stderr)
  })
  after(() => {
    remove()
    project.remove()
  })

  it('tells of a row that came with an old stamp, in the report, in --json and in the history', async () => {
    const { code, stdout, stderr } = await dray('run', 'nightly-reconcile', '--json', '--progress', 'none')
    assert.equal(code, 0, stderr)
    const { run_id: id, steps } = JSON.parse(stdout)
    const shown = await dray('runs', 'show', id)
    const asJson = JSON.parse((await dray('runs', 'show', id, '--json')).stdout)

    const [ofReadings, ofDevices] = steps
    assert.deepEqual([ofReadings.step, ofReadings.status], ['reconcile-readings', 'success'])
    assert.deepEqual([ofReadings.reconciled.missing, ofDevices.reconciled.missing], [1, 0])
    assert.deepEqual(ofReadings.reconciled.first, [{ kind: 'missing', key: { id: '3' }, columns: [] }])
    assert.match(
      shown.stdout,
      /note: reconcile-readings: 1 missing, 0 extra, 0 different: missing id=3\. `dray reconcile readings --fix` loads/,
    )
    assert.match(shown.stdout, /note: reconcile-devices: no differences$/m)
    const kept = asJson.steps.find(({ step }: { step: string }) => step === 'reconcile-readings')
    assert.deepEqual(kept.reconciled, ofReadings.reconciled)
  })

  it('has one step run alone, and fails where more rows differ than may', async () => {
    statement('lake', "insert into devices values ('gone', '2024-01-01 10:00:00')")

    const { code, stdout } = await dray('run', 'reconcile-devices', '--progress', 'none')

    assert.equal(code, 1)
    assert.match(
      stdout,
      /reconcile-devices failed: .*at most 0 may differ \(failAbove\): 0 missing, 1 extra, 0 different/,
    )
    assert.match(
      stdout,
      /note: reconcile-devices: 0 missing, 1 extra, 0 different: extra code=gone\. Extra rows stay until/,
    )
  })

  it('is known to doctor, and no pipeline to plan, reconcile or keys', async () => {
    const doctor = await dray('doctor')
    const plan = await dray('plan', 'reconcile-devices')
    const keys = await dray('run', 'reconcile-devices', '--keys', 'x')

    assert.match(doctor.stdout, /reconcile-readings/)
    assert.match(doctor.stdout, /compares the source of readings with its target/)
    assert.equal(doctor.code, 0, doctor.stdout)
    assert.match(
      plan.stderr,
      /There is no pipeline reconcile-devices, so nothing was done; there are readings, devices/,
    )
    assert.equal(keys.code, 2)
  })
})
