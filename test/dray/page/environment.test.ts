import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createFirstTargets } from 'dray-infra/internal/runs/target-tables.ts'
import { Client } from 'pg'
import type { Browser, Page } from 'playwright-core'
import { type Call, judge, textOf } from '#test/aws/grants/calls.ts'
import { type Deployment, PEOPLE } from '#test/aws/grants/deployment.ts'
import { synthesizedFeatures } from '#test/aws/grants/synthesized-features.ts'
import { dray, temporaryHome } from '#test/cli/dray-process.ts'
import type { ReplicaProject } from '#test/cli/replica-project.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { fixtureFolder, fixtureProject } from '#test/fixture-project.ts'
import { AwsGate } from '#test/services/aws-gate.ts'
import { type DeployedTestEnvironment, startDeployedEnvironment } from '#test/services/deployed-environment.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { goTo, isSkipped, openPage, type ServedDev, startBrowser, startDev } from './browser.ts'
import { replicaThere } from './replica-there.ts'

/** What a page waits for at most, in ms: it asks an environment every five seconds. */
const PATIENCE_MS = 40_000

const ENV = ['--env', 'dev'] as const
const NAME = 'Ann Example'

/** A table that a replica copies. */
const ORDERS = `
  create table orders (id integer primary key, total integer not null, updated_at timestamp not null);
  create index on orders (updated_at);
  insert into orders values (1, 10, '2026-01-02 10:00'), (2, 20, '2026-01-02 11:00')`

/*
 * `dray dev --env dev` as a process: state in dynalite, staging in S3 (fauxqs), databases in PostgreSQL, the handlers
 * and the state machine as they are, and a gate before all of AWS that notes what is asked.
 */

describe('the page of an environment', { skip: isSkipped }, () => {
  const { home, remove } = temporaryHome()
  const gate = new AwsGate()
  const databases = new Map<string, Client>()
  let postgres: TestPostgres
  let environment: DeployedTestEnvironment
  let browser: Browser
  let watching: ServedDev
  let page: Page
  let complaints: readonly string[]
  let variables: NodeJS.ProcessEnv
  let failed: string
  let deployment: Deployment

  const served = (...args: string[]) => startDev({ folder: fixtureFolder, home, variables }, ...ENV, ...args)
  const query = (name: string, sql: string) => (databases.get(name) as Client).query(sql)

  before(async () => {
    // It keeps this process busy, which answers as AWS later on.
    deployment = await synthesizedFeatures()
    postgres = await startPostgres()
    const urls: Record<string, string> = {}
    for (const name of ['shop', 'till', 'lake']) {
      const url = await postgres.createDatabase()
      const client = new Client({ connectionString: url })
      await client.connect()
      urls[name] = url
      databases.set(name, client)
    }
    await query(
      'shop',
      `create table customers (id bigint primary key, name text, email text, phone text, address text, created_at text);
       insert into customers (id, name, email) values (1, '${NAME}', 'ann@example.org'), (2, '', 'secret@example.org')`,
    )
    await query(
      'till',
      `create table orders (id bigint primary key, customer_id bigint, order_date timestamp, total_amount numeric(12, 2),
         status text, last_updated timestamp not null);
       insert into orders select id, 1, '2024-01-01', 1.00, 'new', timestamp '2024-01-01 12:00' + (id - 1) * interval '1 day'
         from generate_series(1, 10) as id`,
    )
    environment = await startDeployedEnvironment(nightly, urls)
    process.env.LAKE_DATABASE_URL = urls.lake
    await createFirstTargets(await fixtureProject(), ['customers', 'orders'], environment.state)
    await query('lake', 'alter table order_fact rename to order_fact_away')
    const { code, stdout } = await dray(home, ['run', 'nightly', ...ENV, '--json'], environment.variables)
    assert.equal(code, 1)
    failed = JSON.parse(stdout).run_id
    await query('lake', 'alter table order_fact_away rename to order_fact')
    variables = await gate.before(environment.variables)
    ;[watching, browser] = await Promise.all([served(), startBrowser()])
    ;({ page, complaints } = await openPage(browser, watching.url))
    page.setDefaultTimeout(PATIENCE_MS)
  })
  after(async () => {
    await browser?.close()
    await watching?.stop()
    gate.stop()
    await environment.stop()
    for (const client of databases.values()) await client.end()
    await postgres.stop()
    remove()
  })

  const card = () => page.getByRole('article', { name: 'nightly' })
  const see = (text: string | RegExp) => page.getByText(text).first().waitFor()
  const post = async ({ origin, token }: ServedDev, path: string, document: object) => {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await fetch(`${origin}${path}`, { method: 'POST', headers, body: JSON.stringify(document) })
    return { status: answer.status, ...((await answer.json()) as { readonly error?: string; readonly run?: string }) }
  }

  test('shows workflows with their latest run, and the command in place of the button', async () => {
    await card().getByText('npx dray run nightly --env dev').waitFor()
    await card().getByRole('link', { name: 'orders failed' }).waitFor()

    assert.equal(await card().getByRole('button', { name: 'Run', exact: true }).count(), 0)
    assert.match(await page.title(), /dev$/)
  })

  test('has a failing run understood in two clicks: where, why, its log, and how to go on', async () => {
    await card()
      .getByRole('link', { name: /failed 2/ })
      .click()

    const failure = page.getByRole('article', { name: 'orders failed' })
    await failure
      .getByText(/order_fact/)
      .first()
      .waitFor()
    await failure.locator('pre').getByText('failed').first().waitFor()
    await see(`npx dray resume ${failed} --env dev`)
    assert.equal(await page.getByRole('button', { name: /Resume|Run anew|Replay/ }).count(), 0)
  })

  test('shows steps and partitions in time by the log of the functions', async () => {
    const lines = page.getByRole('region', { name: 'Steps and partitions in time' })
    await lines.getByRole('button', { name: /^customers, success, plan.*commit/ }).click()

    await page.getByRole('region', { name: 'Log of customers', exact: true }).first().waitFor()
  })

  test('shows runs, pipelines, the catalogue and the events that come from the bus', async () => {
    await goTo(page, 'runs')
    await page.locator('.run-line', { hasText: 'nightly' }).waitFor()
    await goTo(page, 'pipelines')
    await page.getByRole('row', { name: /^customers shop.customers lake.customer_dim/ }).waitFor()
    await goTo(page, 'pipelines/customers')
    await see('One run so far')
    await goTo(page, 'catalogue')
    await page.getByRole('link', { name: 'lake.order_fact' }).waitFor()
    await goTo(page, 'loop')
    await see('EntityUpdated from upstream.orders')
    await see(/its clock and its bus are AWS's/)
  })

  test('shows values of rows in their shape alone, and reasons without their sentences', async () => {
    await goTo(page, 'quarantine')
    const row = page.locator('.kept-rows .card')
    await row.getByText('xxxxxx@xxxxxxx.xxx').waitFor()

    await row.getByText('name missing').waitFor()
    const text = await page.locator('main').textContent()
    assert.doesNotMatch(text ?? '', /secret|a customer needs a name/)
    assert.match(text ?? '', /What a replay would do is shown on the laptop alone/)
  })

  test('looks at the next run and its rows when it is asked to, masked', async () => {
    await goTo(page, 'pipelines/customers')
    await page.getByRole('button', { name: 'Preview the next rows' }).click()
    await page.getByRole('region', { name: 'Rows of the preview' }).getByText('Xxx Xxxxxxx').first().waitFor()
    await page.getByRole('button', { name: 'Plan the next run' }).click()

    await see(/All rows: 2 rows in 1 partition/)
    assert.doesNotMatch((await page.locator('main').textContent()) ?? '', new RegExp(`${NAME}|secret@`))
  })

  test('says where the function that looks at tables is missing, in the words of the command', async () => {
    await page.getByRole('button', { name: 'Look at the tables' }).click()

    await page
      .getByRole('alert')
      .getByText(/no function that looks at its tables.*npx dray deploy dev/)
      .waitFor()
  })

  test('shows what does not fit between a table and its model by the answer of that function', async () => {
    const statement = { what: 'adds city TEXT', mark: 'safe', columns: ['city'], sql: ['alter …'], rows: null }
    const rest = { valuesLost: 0, locks: null, obstacles: [], behind: null }
    environment.aws.functions.set('Dray-dev_workflows_dray_schema', async () => ({
      tables: [
        {
          database: 'lake',
          table: 'customer_dim',
          isNew: false,
          statements: [{ ...statement, ...rest }],
          questions: [],
          notes: [],
        },
      ],
    }))

    await page.getByRole('button', { name: 'Look at the tables' }).click()

    await page.getByRole('listitem').getByText('adds city TEXT (safe)').waitFor()
  })

  test('lets nobody act, who asks the server itself and bears the token either', async () => {
    const { size } = environment.aws.executions
    const asked = [
      { kind: 'run', name: 'nightly' },
      { kind: 'resume', run: failed },
      { kind: 'stop', run: failed },
      { kind: 'replay', pipeline: 'customers' },
      { kind: 'discard', pipeline: 'customers', reason: 'no' },
    ]

    for (const document of asked) {
      const { status, error } = await post(watching, '/api/commands', document)
      assert.deepEqual([status, /changes nothing there.*--allow-actions/.test(error ?? '')], [400, true], document.kind)
    }
    const event = { Source: 'upstream.orders', DetailType: 'EntityUpdated', Detail: { version: 1, id: '1' } }
    assert.match((await post(watching, '/events', event)).error ?? '', /Events of dev go to its bus/)
    assert.match((await post(watching, '/api/schedules', { isOn: true })).error ?? '', /schedules of dev are AWS's/)
    assert.match((await post(watching, '/api/beside', { pipeline: 'customers', row: [] })).error ?? '', /dray preview/)
    assert.equal((await post(watching, '/api/look', { kind: 'deploy', pipeline: 'customers' })).status, 400)
    assert.equal(environment.aws.executions.size, size)
  })

  describe('of tables of a replica', () => {
    let project: ReplicaProject
    let dev: ServedDev
    let opened: Page

    before(async () => {
      await query('shop', ORDERS)
      project = await replicaThere(environment)
      const { folder } = project
      dev = await startDev({ folder, home: `${folder}/.dray`, variables }, ...ENV)
      ;({ page: opened } = await openPage(browser, dev.url))
      opened.setDefaultTimeout(PATIENCE_MS)
    })
    after(async () => {
      await dev?.stop()
      await project?.remove()
    })

    test('shows their columns as their last run found them', async () => {
      await goTo(opened, 'catalogue/lake.raw_orders')

      const columns = opened.getByRole('region', { name: 'Columns of lake.raw_orders' })
      await columns.getByRole('row', { name: /^updated_at timestamp/ }).waitFor()
    })

    test('looks at one when it is asked to: what its next run would read, its rows masked, whether its copy fits', async () => {
      await goTo(opened, `pipelines/${encodeURIComponent('shop-raw/orders')}`)
      await opened.getByRole('button', { name: 'Plan the next run' }).click()
      await opened.getByText(/2 rows in 1 partition/).waitFor()
      await opened.getByRole('button', { name: 'Preview the next rows' }).click()
      await opened.getByRole('region', { name: 'Rows of the preview' }).getByText('0000-00-00').first().waitFor()
      await opened.getByRole('button', { name: 'Look at the tables' }).click()

      await opened.getByText('The tables fit the models.').waitFor()
    })
  })

  const ofDatabases = /^(secretsmanager:|lambda:)/

  test('asks AWS for nothing that the operator policy does not allow', async () => {
    const { operator } = deployment
    const grantees = [{ name: PEOPLE, arn: 'arn:aws:iam::000000000000:user/person', statements: operator }]
    const calls = gate.calls.filter(({ action }) => !ofDatabases.test(action))

    const refused = calls
      .map((call): Call => ({ by: PEOPLE, ...call }))
      .filter((call) => !judge(call, { ...deployment, grantees }).isAllowed)

    assert.deepEqual([...new Set(refused.map(textOf))], [])
    const asked = new Set(calls.map(({ action }) => action))
    for (const action of ['dynamodb:Query', 's3:ListBucket', 's3:GetObject', 'logs:FilterLogEvents'])
      assert.ok(asked.has(action), action)
    const changes = [...asked].filter((action) => /Put|Update|Delete|Start|Stop/.test(action))
    assert.deepEqual(changes, [])
  })

  describe('says in a sentence what it may not read, and looks healthy nowhere:', () => {
    let asking: ServedDev

    before(async () => {
      asking = await served()
    })
    after(() => asking?.stop())

    const denied = async (action: string, work: (opened: Page) => Promise<void>) => {
      gate.denied.add(action)
      const opened = await openPage(browser, asking.url)
      opened.page.setDefaultTimeout(PATIENCE_MS)
      try {
        await work(opened.page)
      } finally {
        gate.denied.delete(action)
        await opened.close()
      }
    }
    const refusal = /AWS refused.*not authorized to perform.*operator policy of Dray-dev/
    const main = async (opened: Page) => (await opened.locator('main').textContent()) ?? ''

    test('the state table', () =>
      denied('dynamodb:Query', async (opened) => {
        for (const path of ['', 'runs', 'pipelines', 'pipelines/customers', `runs/${failed}`]) {
          await goTo(opened, path)
          await opened.getByRole('alert').getByText(refusal).first().waitFor()
          assert.doesNotMatch(await main(opened), /Nothing has run|none yet|free|never|not run yet/, path)
        }
      }))

    test('the record of a step', () =>
      denied('dynamodb:GetItem', async (opened) => {
        await goTo(opened, 'pipelines/customers')
        await opened.getByRole('alert').getByText(refusal).first().waitFor()
        assert.doesNotMatch(await main(opened), /not run yet/)
      }))

    test('the staging bucket', () =>
      denied('s3:ListBucket', async (opened) => {
        await goTo(opened, 'quarantine')
        await opened.getByRole('alert').getByText(refusal).first().waitFor()
        assert.doesNotMatch(await main(opened), /No row is open|0 rows/)
      }))

    test('the rows of the quarantine', () =>
      denied('s3:GetObject', async (opened) => {
        await goTo(opened, 'quarantine')
        await opened.getByRole('alert').getByText(refusal).first().waitFor()
        assert.doesNotMatch(await main(opened), /No row is open|0 rows/)
      }))

    test('the logs, while everything else of the run is shown', () =>
      denied('logs:FilterLogEvents', async (opened) => {
        await goTo(opened, `runs/${failed}`)
        await opened
          .getByRole('alert')
          .getByText(/bars are those of whole steps/)
          .getByText(refusal)
          .waitFor()
        await opened
          .getByRole('article', { name: 'orders failed' })
          .getByText(/order_fact/)
          .first()
          .waitFor()
        assert.doesNotMatch(await main(opened), /Nothing was logged/)
      }))

    test('a database, whose grant is in another policy, while everything else is shown', () =>
      denied('secretsmanager:GetSecretValue', async (opened) => {
        await goTo(opened, 'pipelines/customers')
        await opened.getByRole('button', { name: 'Plan the next run' }).click()
        await opened
          .getByRole('alert')
          .getByText(
            /databases of dev are not asked.*perform: secretsmanager:GetSecretValue.*database policy of Dray-dev/,
          )
          .waitFor()
        assert.equal(await opened.getByRole('alert').count(), 1)
        await opened.getByText('One run so far').waitFor()
      }))

    test('the function that looks at tables', () =>
      denied('lambda:InvokeFunction', async (opened) => {
        await goTo(opened, 'pipelines/customers')
        await opened.getByRole('button', { name: 'Look at the tables' }).click()
        await opened
          .getByRole('alert')
          .getByText(/perform: lambda:InvokeFunction.*database policy of Dray-dev/)
          .waitFor()
      }))
  })

  describe('with --allow-actions and --no-mask', () => {
    let acting: ServedDev
    let opened: Page

    before(async () => {
      acting = await served('--allow-actions', '--no-mask')
      ;({ page: opened } = await openPage(browser, acting.url))
      opened.setDefaultTimeout(PATIENCE_MS)
    })
    after(() => acting?.stop())

    test('resumes a run by its button, shows it to its end, and says the command as it can be pasted', async () => {
      await goTo(opened, `runs/${failed}`)
      await opened.getByRole('button', { name: 'Resume', exact: true }).click()

      await opened.locator('.summary .status.success').waitFor()
      assert.match((await opened.locator('.summary').textContent()) ?? '', /resume/)
      await goTo(opened, 'loop')
      await opened.getByText(`npx dray resume ${failed} --env dev`).waitFor()
    })

    test('replays a row, after it was asked', async () => {
      await query('shop', "update customers set name = 'Bob' where id = 2")
      await goTo(opened, 'quarantine')
      const row = opened.locator('.kept-rows .card').first()
      await row.getByRole('button', { name: 'Replay', exact: true }).click()
      await row.getByRole('button', { name: 'Replay', exact: true }).click()

      await opened.locator('.summary .status.success').waitFor()
      await opened.getByRole('row', { name: /^customers success 1 / }).waitFor()
    })

    test('runs a workflow by its button', async () => {
      await goTo(opened, '')
      await opened.getByRole('article', { name: 'nightly' }).getByRole('button', { name: 'Run' }).click()

      await opened.locator('.summary .status.success').waitFor()
      assert.ok(environment.aws.executions.has(decodeURIComponent(opened.url().split('/').at(-1) ?? '')))
    })

    test('shows the values of rows', async () => {
      await goTo(opened, 'quarantine')
      await opened.getByLabel('closed rows, too').check()

      await opened.getByText('secret@example.org').first().waitFor()
    })

    test('says why a run may not be started', async () => {
      gate.denied.add('states:StartExecution')
      await goTo(opened, 'pipelines/orders')
      await opened.getByRole('button', { name: 'Run', exact: true }).click()

      await opened
        .getByRole('alert')
        .getByText(/AWS refused.*StartExecution.*operator policy/)
        .waitFor()
      gate.denied.delete('states:StartExecution')
    })
  })

  test('lets the browser complain of nothing but what the server refused', () => {
    assert.deepEqual(
      complaints.filter((text) => !/status of 400/.test(text)),
      [],
    )
  })
})
