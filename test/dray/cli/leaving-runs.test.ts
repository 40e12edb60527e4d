import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { waitForLeavingRuns } from 'dray-infra/internal/cli/leaving-runs.ts'
import { fixtureProject } from '#test/fixture-project.ts'

const MACHINE = 'arn:aws:states:eu-north-1:000000000000:stateMachine:Dray-dev_returns_pipeline'
const machines = { stateMachines: [{ name: 'Dray-dev_returns_pipeline', stateMachineArn: MACHINE }] }
const atWork = {
  executions: [{ name: 'night-1', executionArn: `${MACHINE.replace('stateMachine', 'execution')}:night-1` }],
}

/**
 * Step Functions that gives these lists of executions, one after the other; null: it is away. Returns how often it was
 * asked for one.
 */
async function statesWith(t: TestContext, lists: readonly (object | null)[]): Promise<() => number> {
  let asked = 0
  const server = createServer((request, response) => {
    const isMachines = `${request.headers['x-amz-target']}`.endsWith('.ListStateMachines')
    const answer = isMachines ? machines : lists[asked++]
    request.resume()
    response.writeHead(answer ? 200 : 503, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify(answer ?? { __type: 'ServiceUnavailable' }))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const saved = { ...process.env }
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_REGION: 'eu-north-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_MAX_ATTEMPTS: '1',
  })
  t.after(() => {
    process.env = saved
    server.closeAllConnections()
    server.close()
  })
  return () => asked
}

function heard(t: TestContext): string[] {
  const said: string[] = []
  t.mock.method(process.stderr, 'write', (text: string) => {
    said.push(text)
    return true
  })
  return said
}

test('a run that is at work is waited for, though Step Functions is away for a moment in between', async (t) => {
  const asked = await statesWith(t, [atWork, null, { executions: [] }])
  const said = heard(t)

  await waitForLeavingRuns('dev', await fixtureProject())

  t.mock.restoreAll()
  assert.equal(asked(), 3)
  assert.equal(said.length, 1)
  assert.match(said.join(''), /the run night-1 is at work there.*`npx dray runs stop night-1 --env dev`/)
})

test('where nothing can be learnt, that is said, and the deployment goes on', async (t) => {
  const asked = await statesWith(t, [null])
  const said = heard(t)

  await waitForLeavingRuns('dev', await fixtureProject())

  t.mock.restoreAll()
  assert.equal(asked(), 1)
  assert.match(said.join(''), /is not known \(ServiceUnavailable.*`npx dray resume`/)
})
