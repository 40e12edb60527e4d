import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { triggerHandlers } from 'dray-infra/internal/aws/deployed-handlers.ts'
import { bundleHandlers } from 'dray-infra/internal/aws/handler-bundles.ts'
import { Instance } from 'dray-infra/internal/local/isolated/instance.ts'
import { type SynthesizedStack, synthesizedStack } from '#test/aws/synthesized-stack.ts'
import { fixtureFolder } from '#test/fixture-project.ts'
import { batchOf, ended, startTriggers, type Triggers, updated } from '#test/lambda/triggers.ts'

/* The functions that no state machine calls, as they are deployed. */

describe('the bundled triggers', () => {
  let folder: string
  let triggers: Triggers
  let stack: SynthesizedStack
  let bundles: ReadonlyMap<string, string>
  const instances: Instance[] = []
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-isolated-'))
    triggers = await startTriggers()
    stack = await synthesizedStack()
    bundles = await bundleHandlers(
      Object.values(triggerHandlers).map((handler) => ({ handler, engines: [] })),
      fixtureFolder,
      folder,
    )
  })
  after(async () => {
    await Promise.all(instances.map((instance) => instance.kill()))
    await triggers.stop()
    await rm(folder, { recursive: true })
  })

  /** With the variables that the stack sets, in the values of the local services, and their endpoints. */
  function instanceOf(handler: string): Instance {
    const { Variables } = stack.lambda(handler).Properties.Environment
    const names = [...Object.keys(Variables), 'STATE_ENDPOINT']
    const own = Object.entries(process.env).filter(
      ([name]) => names.includes(name) || name.startsWith('AWS_ENDPOINT_URL_'),
    ) as [string, string][]
    const environment = Object.fromEntries(own)
    const instance = new Instance({ name: 'trigger', folder: bundles.get(handler) ?? '', environment })
    instances.push(instance)
    return instance
  }

  test('start a run of an event, and end it', async () => {
    const start = instanceOf(triggerHandlers.start)
    const janitor = instanceOf(triggerHandlers.janitor)

    const failures = await start.invoke(batchOf(updated('e1')), 60)
    const [first] = triggers.aws.running
    await start.invoke(batchOf(updated('e2')), 60)
    const execution = triggers.aws.executions.get(first ?? '')
    assert.ok(execution)
    execution.status = 'SUCCEEDED'
    await janitor.invoke(ended(first ?? '', 'SUCCEEDED'), 60)

    assert.deepEqual(failures, { batchItemFailures: [] })
    // The second event waited for the run to end, and the janitor has started the run that it asked for.
    assert.equal(triggers.aws.executions.size, 2)
    assert.notDeepEqual(triggers.aws.running, [first])
  })
})
