import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, mock, test } from 'node:test'
import { TerminalError } from 'dray/internal/errors.ts'
import { ADDED, NEW_TABLES } from 'dray/internal/messages/column-notes.ts'
import { task } from 'dray/internal/pipeline/declare/task.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import { emptyStep } from 'dray/internal/state/state-store.ts'
import { refuseCircle, requestOf } from 'dray/internal/triggers/events.ts'
import {
  batchOf,
  context,
  ended,
  MACHINES,
  recordRun,
  startTriggers,
  type Triggers,
  tick,
  updated,
  WORKFLOW,
} from './triggers.ts'

let triggers: Triggers
before(async () => {
  triggers = await startTriggers()
})
beforeEach(() => triggers.reset())
after(() => triggers.stop())

const inputs = () => [...triggers.aws.executions.values()].map(({ input }) => JSON.parse(input))
const started = () => triggers.aws.running[0] ?? ''
/** A run as it is when its execution is killed in the middle of orders. */
async function halfDone(): Promise<string> {
  await triggers.start(batchOf(tick('2026-01-01T00:00:00Z')), context)
  const run = started()
  const now = Date.now()
  await triggers.state.startRun({
    id: run,
    workflow: WORKFLOW,
    startTime: now,
    runner: 'stepfunctions',
    trigger: 'schedule',
  })
  await triggers.state.acquireLease('orders', run, now, now + 3_600_000)
  await triggers.state.putStep({ ...emptyStep(run, 'orders'), startTime: now })
  return run
}
const kill = (run: string, status: 'TIMED_OUT' | 'ABORTED' | 'FAILED', more = {}) => {
  const execution = triggers.aws.executions.get(run)
  if (execution) execution.status = status
  return triggers.janitor(ended(run, status, more), context)
}

describe('janitor', () => {
  test('marks a run that timed out and its open step as failed, and gives its leases back', async () => {
    const run = await halfDone()

    await kill(run, 'TIMED_OUT')

    const detail = await triggers.state.run(run)
    assert.equal(detail?.run.status, 'failed')
    assert.equal(detail?.run.error, 'The execution timed out.')
    assert.deepEqual(
      detail?.steps.map(({ status }) => status),
      ['failed'],
    )
    assert.equal((await triggers.state.pipeline('orders'))?.leaseOwner, null)
    assert.equal(triggers.aws.executions.size, 1)
  })

  test('stops the pipelines that the run has started before it gives their leases back, and no others', async () => {
    const run = await halfDone()

    await kill(run, 'ABORTED')

    assert.deepEqual(triggers.aws.stopped, [`${MACHINES.replace('stateMachine', 'execution')}:orders:${run}`])
  })

  test('stops nothing of a run that came to its end', async () => {
    const run = await halfDone()

    await triggers.janitor(ended(run, 'SUCCEEDED'), context)

    assert.deepEqual(triggers.aws.stopped, [])
  })

  test('keeps the leases when a pipeline cannot be stopped, and is called again', async () => {
    const run = await halfDone()
    triggers.aws.refusals.set('StopExecution', 'ThrottlingException')

    await assert.rejects(kill(run, 'ABORTED'), { name: 'Transient', message: /could not be stopped/ })

    assert.equal((await triggers.state.pipeline('orders'))?.leaseOwner, run)
    triggers.aws.refusals.clear()
    await kill(run, 'ABORTED')
    assert.equal((await triggers.state.pipeline('orders'))?.leaseOwner, null)
  })

  test('leaves the lease of another run alone', async () => {
    const run = await halfDone()
    const now = Date.now()
    await triggers.state.acquireLease('customers', 'another', now, now + 3_600_000)

    await kill(run, 'ABORTED')

    assert.equal((await triggers.state.pipeline('customers'))?.leaseOwner, 'another')
  })

  test('starts the run that waited once, however often it is told of the end', async () => {
    const run = await halfDone()
    await triggers.start(batchOf(updated('a')), context)

    await Promise.all([kill(run, 'FAILED'), kill(run, 'FAILED')])
    await kill(run, 'FAILED')

    assert.equal(triggers.aws.executions.size, 2)
    assert.equal(triggers.aws.running.length, 1)
  })

  test('starts a follow-up of a run that was refused while another held its pipeline, and only then', async () => {
    const now = Date.now()
    await triggers.state.acquireLease('orders', 'by-hand', now, now + 3_600_000)
    await assert.rejects(triggers.state.acquireLease('orders', 'refused', now, now + 3_600_000), { name: 'LeaseHeld' })

    await kill('refused', 'FAILED')
    const meanwhile = triggers.aws.executions.size
    await kill('by-hand', 'ABORTED')
    await kill('by-hand', 'ABORTED')

    assert.equal(meanwhile, 0)
    // Nothing is known of what the run was asked to do.
    assert.deepEqual(
      inputs().map(({ only, mode = null }) => [only, mode]),
      [[['orders'], null]],
    )
    assert.equal((await triggers.state.pipeline('orders'))?.pending, false)
  })

  /** A run from the console that did not get orders, which `holder` has, and that has ended. */
  async function refusedRun(id: string, more: { mode?: string; only?: readonly string[] }): Promise<void> {
    const now = Date.now()
    await triggers.state.startRun({
      id,
      workflow: WORKFLOW,
      startTime: now,
      runner: 'stepfunctions',
      trigger: 'manual',
      ...more,
    })
    await assert.rejects(triggers.state.acquireLease('orders', id, now, now + 3_600_000), { name: 'LeaseHeld' })
    await triggers.state.putStep({ ...emptyStep(id, 'orders'), status: 'refused', error: 'held' })
    await kill(id, 'FAILED')
  }
  const hold = (holder: string) => triggers.state.acquireLease('orders', holder, Date.now(), Date.now() + 3_600_000)
  /** A follow-up that has done what it was started for. */
  async function succeed(run: string): Promise<void> {
    const { input } = triggers.aws.executions.get(run) ?? { input: '{}' }
    const { mode, only } = JSON.parse(input)
    const asked = { mode: mode === undefined ? null : JSON.stringify(mode), only }
    const end = { endTime: Date.now(), recordsProcessed: 1, recordsFailed: 0, error: null }
    await triggers.state.startRun({
      id: run,
      workflow: WORKFLOW,
      startTime: Date.now(),
      runner: 'stepfunctions',
      trigger: 'follow-up',
      ...asked,
    })
    await triggers.state.finishRun(run, { status: 'success', ...end })
    const execution = triggers.aws.executions.get(run)
    if (execution) execution.status = 'SUCCEEDED'
    await triggers.janitor(ended(run, 'SUCCEEDED', { input }), context)
  }

  test('follows up a run that was refused by a run that resumes it, as it was asked for', async () => {
    await hold('by-hand')
    await refusedRun('refused', { mode: '{"keys":["7"]}', only: ['orders'] })

    await kill('by-hand', 'ABORTED')
    await succeed(started())

    const [followUp, ...more] = inputs()
    assert.deepEqual(
      [followUp?.trigger, followUp?.only, followUp?.mode],
      ['follow-up', ['orders'], { resume: 'refused' }],
    )
    assert.deepEqual(more, [])
    assert.equal((await triggers.state.pipeline('orders'))?.pending, false)
  })

  test('follows up each of several runs that were refused, one after the other, and a usual one but once', async () => {
    await hold('by-hand')
    await refusedRun('keys-7', { mode: '{"keys":["7"]}', only: ['orders'] })
    await refusedRun('usual-1', {})
    await refusedRun('usual-2', {})
    await refusedRun('keys-8', { mode: '{"keys":["8"]}' })

    await kill('by-hand', 'ABORTED')
    for (let run = started(); run !== ''; run = started()) await succeed(run)

    assert.deepEqual(
      inputs().map(({ mode }) => mode),
      [{ resume: 'keys-7' }, { resume: 'usual-2' }, { resume: 'keys-8' }],
    )
  })

  test('lets the run that waits in the slot do the work of a usual run that was refused, and not of one of keys', async () => {
    await hold('by-hand')
    await refusedRun('usual', {})
    await refusedRun('keys-7', { mode: '{"keys":["7"]}', only: ['orders'] })
    await triggers.start(batchOf(tick('2026-01-01T00:00:00Z')), context)

    await kill('by-hand', 'ABORTED')
    for (let run = started(); run !== ''; run = started()) await succeed(run)

    assert.deepEqual(
      inputs().map(({ trigger, mode = null }) => [trigger, mode]),
      [
        ['follow-up', { resume: 'keys-7' }],
        ['schedule', null],
      ],
    )
  })

  test('waits for the end of a run that is still on to know what of it was refused', async () => {
    const now = Date.now()
    await hold('by-hand')
    await triggers.state.startRun({
      id: 'on',
      workflow: WORKFLOW,
      startTime: now,
      runner: 'stepfunctions',
      trigger: 'manual',
    })
    await assert.rejects(triggers.state.acquireLease('orders', 'on', now, now + 1000), { name: 'LeaseHeld' })

    await kill('by-hand', 'ABORTED')
    const meanwhile = inputs()
    await triggers.state.putStep({ ...emptyStep('on', 'orders'), status: 'refused', error: 'held' })
    await kill('on', 'FAILED')

    assert.deepEqual(meanwhile, [])
    assert.deepEqual(
      inputs().map(({ mode }) => mode),
      [{ resume: 'on' }],
    )
  })

  test('records a run that ended before its first step', async () => {
    await kill('early', 'ABORTED')

    const detail = await triggers.state.run('early')
    assert.equal(detail?.run.status, 'interrupted')
    assert.equal(detail?.run.trigger, 'schedule')
  })

  test('records of a run that ended before its first step what it was asked to do', async () => {
    await kill('early', 'ABORTED', { input: '{"trigger":"replay","only":["orders"],"mode":{"replay":{}}}' })

    const run = (await triggers.state.run('early'))?.run
    assert.deepEqual([run?.trigger, run?.only, run?.mode], ['replay', ['orders'], '{"replay":{}}'])
  })

  test('tells in words what failed, why, and what becomes of it', async () => {
    const run = await halfDone()

    await kill(run, 'FAILED', { error: 'WorkflowFailed', cause: 'orders failed.' })

    const [notification, ...more] = triggers.notifications()
    assert.deepEqual(more, [])
    assert.equal(notification?.Subject, 'daily failed in test')
    assert.match(notification?.Message ?? '', new RegExp(`^daily failed in test \\(run ${run}\\)\\.\n`))
    assert.match(notification?.Message ?? '', /orders: failed: The execution failed: WorkflowFailed: orders failed\./)
    assert.match(notification?.Message ?? '', /last_run .* stays/)
  })

  for (const [how, work, reason] of [
    ['failed', () => Promise.reject(new TerminalError('the mart is full')), 'Terminal: the mart is full'],
    // As one whose function is killed.
    ['did not end', () => new Promise<never>(() => {}), 'The execution failed: Transient: Finish was refused.'],
  ] as const) {
    test(`tells of a task that was called and ${how}, though Finish failed, too`, async () => {
      const run = { id: 'r', workflow: WORKFLOW, started_at: new Date().toISOString(), trigger: 'schedule' }
      const { signal } = new AbortController()
      const services = { state: triggers.state, now: Date.now, signal, runner: 'stepfunctions' }
      const called = runTask(task('data-mart', work), { run, task: 'data-mart' }, services as unknown as Services)
      await Promise.race([called.catch(() => {}), untilBegun('r')])

      await kill('r', 'FAILED', { error: 'Transient', cause: 'Finish was refused' })

      const [step, ...more] = (await triggers.state.run('r'))?.steps ?? []
      assert.deepEqual([step?.step, step?.status, step?.error, more], ['data-mart', 'failed', reason, []])
      assert.ok(triggers.notifications()[0]?.Message.includes(`data-mart: failed: ${reason}`))
    })
  }

  async function untilBegun(run: string): Promise<void> {
    while (((await triggers.state.run(run))?.steps ?? []).length === 0) await new Promise(setImmediate)
  }

  for (const [what, error] of [
    ['failed', 'Terminal: the mart is full'],
    ['schema_changed', 'Terminal: orders: the models do not fit the databases, so nothing was read: …'],
    ['quarantine', 'DataQuality: orders: 20 of 90 rows were quarantined and at most 10 may be, so …'],
    ['checks', 'DataQuality: orders: 1 of its 3 checks does not hold: unique(code) of lake.orders: 2 rows with …'],
  ] as const) {
    test(`tells programs of a run that failed (${what}), with its steps, the command and the execution`, async () => {
      await recordRun(triggers, 'r', WORKFLOW)
      await triggers.state.putStep({ ...emptyStep('r', 'customers'), status: 'success' })
      await triggers.state.putStep({ ...emptyStep('r', 'orders'), status: 'failed', error })

      await kill('r', 'FAILED')

      const [notification] = triggers.notifications()
      assert.deepEqual(JSON.parse(notification?.MessageAttributes.notice.Value ?? ''), {
        ...{ version: 1, id: '', what, environment: 'test', summary: 'daily failed in test.', workflow: 'daily' },
        ...{ run: 'r', steps: [{ step: 'orders', status: 'failed', reason: error }], reason: 'The execution failed.' },
        command: 'npx dray runs show r --env test',
        link: `https://eu-north-1.console.aws.amazon.com/states/home?region=eu-north-1#/v2/executions/details/${encodeURIComponent('arn:aws:states:eu-north-1:123456789012:execution:daily:r')}`,
      })
    })
  }

  test('tells of checks that only warn, without values of rows, and who answers for what', async () => {
    const owner = 'data team <data@example.org>'
    process.env.WORKFLOW_OWNER = 'warehouse team'
    await recordRun(triggers, 'r', WORKFLOW)
    const check = { table: 'lake.orders', severity: 'warn', scope: 'run', seconds: 0 } as const
    const holds = { ...check, name: 'unique(id)', status: 'passed', failing: 0, keys: [], said: null } as const
    const warned = {
      ...check,
      name: 'unique(code)',
      status: 'warned',
      failing: 2,
      keys: [{ code: 'secret' }],
      said: '2 rows',
    } as const
    await triggers.state.putStep({ ...emptyStep('r', 'orders'), status: 'success', checks: [holds, warned], owner })

    try {
      await triggers.janitor(ended('r', 'SUCCEEDED'), context)
    } finally {
      delete process.env.WORKFLOW_OWNER
    }

    const [notification, ...more] = triggers.notifications()
    const notice = JSON.parse(notification?.MessageAttributes.notice.Value ?? '')
    assert.deepEqual(more, [])
    assert.deepEqual(
      [notice.what, notice.owner, notice.summary],
      ['checks', 'warehouse team', 'daily in test has checks that warn.'],
    )
    assert.deepEqual(notice.steps, [{ step: 'orders', status: 'success', reason: 'unique(code): 2 rows', owner }])
    assert.match(notification?.Message ?? '', /orders \(data team <data@example\.org>\): unique\(code\): 2 rows/)
    assert.doesNotMatch(JSON.stringify(notification), /secret/)
  })

  test('tells of the first success after runs that failed, and not of the next one, nor of one of some steps', async () => {
    let startTime = Date.now() - 10_000
    const run = async (id: string, status: 'success' | 'failed', only: readonly string[] | null = null) => {
      const start = { id, workflow: WORKFLOW, runner: 'stepfunctions', trigger: 'schedule', only } as const
      await triggers.state.startRun({ ...start, startTime: startTime++ })
      const end = { endTime: Date.now(), recordsProcessed: 0, recordsFailed: 0, error: null }
      await triggers.state.finishRun(id, { ...end, status })
      await triggers.janitor(ended(id, status === 'success' ? 'SUCCEEDED' : 'FAILED'), context)
    }

    await run('a', 'success')
    await run('b', 'failed')
    await run('c', 'failed')
    await run('d', 'success', ['orders'])
    await run('e', 'success')
    await run('f', 'success')

    const told = triggers.notifications()
    assert.deepEqual(
      told
        .map(({ MessageAttributes }) => JSON.parse(MessageAttributes.notice.Value))
        .map(({ what, run: id }) => [what, id]),
      [
        ['failed', 'b'],
        ['failed', 'c'],
        ['recovered', 'e'],
      ],
    )
    assert.equal(told[2]?.Message, 'daily succeeds again in test (run e).')
  })

  test('tells of tables that a replica has come to have, or has no more, once', async () => {
    let startTime = Date.now() - 10_000
    const gone = 'raw has copied log of crm, which it has no more, or its user may not see it; lake keeps log'
    for (const [id, notes] of [
      ['a', []],
      ['b', [gone]],
      ['c', [gone]],
    ] as const) {
      await triggers.state.startRun({ id, workflow: WORKFLOW, runner: 'stepfunctions', trigger: 'schedule', startTime })
      startTime += 1
      await triggers.state.putStep({ ...emptyStep(id, 'raw'), status: 'success', notes })
      await triggers.state.finishRun(id, {
        ...{ status: 'success', endTime: Date.now(), recordsProcessed: 0, recordsFailed: 0, error: null },
      })
      await triggers.janitor(ended(id, 'SUCCEEDED'), context)
    }

    assert.deepEqual(
      triggers.notifications().map(({ Subject, Message }) => [Subject, Message]),
      [
        [
          'daily in test has other tables at its sources',
          `daily in test has other tables at its sources (run b).\n\n  raw: ${gone}`,
        ],
      ],
    )
  })

  test('tells of columns that are new at a source once, however many runs follow', async () => {
    let startTime = Date.now() - 10_000
    const run = async (id: string, notes: readonly string[]) => {
      await triggers.state.startRun({ id, workflow: WORKFLOW, runner: 'stepfunctions', trigger: 'schedule', startTime })
      startTime += 1
      await triggers.state.putStep({ ...emptyStep(id, 'orders'), status: 'success', notes })
      await triggers.state.finishRun(id, {
        ...{ status: 'success', endTime: Date.now(), recordsProcessed: 0, recordsFailed: 0, error: null },
      })
      await triggers.janitor(ended(id, 'SUCCEEDED'), context)
    }
    const added = 'the column colour of src.orders is new at the source, so dw.orders has it now, too'
    const left = 'the column price of src.orders could not be added to dw.orders, so its values are not loaded'

    await run('a', ['the window ends 300 s before now'])
    await run('b', [added, left])
    await run('c', ['takes over colour of src.orders into dw.orders, which the models do not know', left])
    await run('d', ['takes over colour of src.orders into dw.orders, which the models do not know', left])

    const [told, ...more] = triggers.notifications()
    assert.deepEqual(more, [])
    assert.equal(told?.Subject, 'daily in test has new columns at its sources')
    assert.equal(
      told?.Message,
      `daily in test has new columns at its sources (run b).\n\n  orders: ${added}\n  orders: ${left}`,
    )
    const notice = JSON.parse(told?.MessageAttributes.notice.Value ?? '')
    assert.deepEqual(
      [notice.what, notice.steps.length, notice.command],
      ['new_columns', 2, 'npx dray runs show b --env test'],
    )
  })

  test('tells of rows that differ each time a comparison finds some, without their keys', async () => {
    const found = { missing: 2, extra: 1, different: 0 }
    const reconciled = {
      ...{ pipeline: 'orders', rows: { source: 9, target: 8 }, ranges: 1, equalByDigest: 0, rowsCompared: 9 },
      first: [{ kind: 'missing' as const, key: { email: 'ada@example.com' }, columns: [] }],
    }
    const run = async (id: string, counts: typeof found, status: 'success' | 'failed') => {
      const startTime = Date.now()
      await triggers.state.startRun({ id, workflow: WORKFLOW, runner: 'stepfunctions', trigger: 'schedule', startTime })
      const step = { ...emptyStep(id, 'reconcile-orders'), status, error: status === 'failed' ? 'too many' : null }
      await triggers.state.putStep({ ...step, reconciled: { ...reconciled, ...counts } })
      await triggers.state.finishRun(id, {
        ...{ status, endTime: Date.now(), recordsProcessed: 0, recordsFailed: 0, error: null },
      })
      await triggers.janitor(ended(id, status === 'success' ? 'SUCCEEDED' : 'FAILED'), context)
    }

    await run('a', { missing: 0, extra: 0, different: 0 }, 'success')
    await run('b', found, 'success')
    await run('c', found, 'success')
    await run('d', found, 'failed')

    const told = triggers.notifications()
    const notices = told.map(({ MessageAttributes }) => JSON.parse(MessageAttributes.notice.Value))
    assert.deepEqual(
      notices.map(({ what, run: id }) => [what, id]),
      [
        ['differences', 'b'],
        ['differences', 'c'],
        ['failed', 'd'],
      ],
    )
    assert.deepEqual(notices[0].steps, [
      { step: 'reconcile-orders', status: 'success', reason: '2 missing, 1 extra, 0 different' },
    ])
    assert.equal(told[0]?.Subject, 'daily in test has found rows that differ')
    assert.match(told[0]?.Message ?? '', /^ {2}npx dray reconcile orders --fix --env test$/m)
    assert.doesNotMatch(JSON.stringify(told), /ada@example/)
  })

  test('says nothing of a success', async () => {
    await triggers.janitor(ended('fine', 'SUCCEEDED'), context)

    assert.deepEqual(triggers.notifications(), [])
  })

  test('finds by its clock a run whose end nobody told, and one that was never started', async () => {
    const run = await halfDone()
    await triggers.start(batchOf(updated('a')), context)
    const execution = triggers.aws.executions.get(run)
    assert.ok(execution)

    const before = await triggers.janitor({ sweep: true }, context)
    execution.status = 'ABORTED'
    const after = await triggers.janitor({ sweep: true }, context)

    assert.equal(before.started, null)
    assert.equal(after.started, started())
    assert.equal((await triggers.state.run(run))?.run.status, 'failed')
  })

  test('lets a run be of which Step Functions knows nothing yet, until it has been started for a minute', async () => {
    await triggers.start(batchOf(tick('2026-01-01T00:00:00Z')), context)
    const run = started()
    await triggers.start(batchOf(updated('a')), context)
    triggers.aws.executions.clear()

    await triggers.janitor({ sweep: true }, context)
    const early = await triggers.slots.open(WORKFLOW, Date.now())
    await triggers.slots.write({ ...early, startedAt: Date.now() - 61_000 })
    const { started: followUp } = await triggers.janitor({ sweep: true }, context)

    assert.equal(early.run, run)
    assert.deepEqual(triggers.aws.running, [followUp])
  })

  /** A run that somebody has started by hand, in the middle of orders; it was started `ago` ms ago. */
  async function byHand(workflow: string, { ago = 120_000, runner = 'stepfunctions' } = {}): Promise<void> {
    const now = Date.now()
    await triggers.state.startRun({ id: 'by-hand', workflow, startTime: now - ago, runner, trigger: 'manual' })
    await hold('by-hand')
    await triggers.state.putStep({ ...emptyStep('by-hand', 'orders'), startTime: now })
    triggers.aws.executions.set('by-hand', {
      name: 'by-hand',
      input: '{}',
      status: 'RUNNING',
      startDate: (now - ago) / 1000,
    })
  }
  const abort = () => Object.assign(triggers.aws.executions.get('by-hand') ?? {}, { status: 'ABORTED' })
  const holder = async () => (await triggers.state.pipeline('orders'))?.leaseOwner ?? null

  for (const [of, workflow] of [
    ['the workflow', WORKFLOW],
    ['a pipeline alone', 'orders'],
  ] as const) {
    test(`ends a run of ${of} that holds a pipeline and whose end nobody told, and no sooner`, async () => {
      await byHand(workflow)
      await triggers.janitor({ sweep: true }, context)
      const before = await holder()
      abort()

      await triggers.janitor({ sweep: true }, context)

      const detail = await triggers.state.run('by-hand')
      assert.deepEqual([before, await holder()], ['by-hand', null])
      assert.deepEqual([detail?.run.status, detail?.steps[0]?.status], ['failed', 'failed'])
      assert.match(detail?.run.error ?? '', /nothing told how it ended/)
    })

    test(`leaves a run of ${of} alone that Step Functions does not know yet`, async () => {
      await byHand(workflow, { ago: 1000 })
      triggers.aws.executions.clear()

      await triggers.janitor({ sweep: true }, context)

      assert.equal(await holder(), 'by-hand')
    })
  }

  test('starts what was refused by a run that held a pipeline and whose end nobody told', async () => {
    await byHand('orders')
    await assert.rejects(hold('refused'), { name: 'LeaseHeld' })
    abort()

    const { started: followUp } = await triggers.janitor({ sweep: true }, context)

    assert.deepEqual(triggers.aws.running, [followUp])
  })

  test('leaves a lease that a process of somebody holds, and one of another workflow, to these', async () => {
    for (const [workflow, runner] of [
      ['orders', 'local:laptop:7'],
      ['weekly', 'stepfunctions'],
    ] as const) {
      await triggers.reset()
      await byHand(workflow, { runner })
      abort()

      await triggers.janitor({ sweep: true }, context)

      assert.equal(await holder(), 'by-hand')
    }
  })

  test('measures the time since the last success and behind the source, by workflow and pipeline alone', async (t) => {
    const now = Date.now()
    const past = new Date(now - 3_600_000).toISOString().replace('T', ' ').replace('Z', '+00')
    await triggers.state.setLastRun('orders', past, now)
    await triggers.state.startRun({
      id: 'old',
      workflow: WORKFLOW,
      startTime: now - 90_000,
      runner: 'stepfunctions',
      trigger: 'schedule',
    })
    const end = { status: 'success', recordsProcessed: 1, recordsFailed: 0, error: null } as const
    await triggers.state.finishRun('old', { ...end, endTime: now - 60_000 })
    const partial = {
      workflow: WORKFLOW,
      startTime: now - 20_000,
      runner: 'stepfunctions',
      trigger: 'manual',
      only: ['orders'],
    }
    await triggers.state.startRun({ ...partial, id: 'partial' })
    await triggers.state.finishRun('partial', { ...end, endTime: now - 10_000 })
    process.env.POWERTOOLS_METRICS_NAMESPACE = 'Dray/test'
    t.after(() => delete process.env.POWERTOOLS_METRICS_NAMESPACE)
    const lines: string[] = []
    const write = mock.method(process.stdout, 'write', (line: string) => lines.push(line) > 0)

    await triggers.janitor({ sweep: true }, context).finally(() => write.mock.restore())

    const metrics = lines.filter((line) => line.includes('CloudWatchMetrics')).map((line) => JSON.parse(line))
    const [success, freshness] = metrics
    assert.equal(metrics.length, 2)
    assert.deepEqual(success._aws.CloudWatchMetrics[0].Dimensions, [['workflow']])
    assert.ok(success.SecondsSinceSuccess >= 60 && success.SecondsSinceSuccess < 120)
    assert.deepEqual(freshness._aws.CloudWatchMetrics[0].Dimensions, [['workflow'], ['workflow', 'pipeline']])
    assert.ok(freshness.FreshnessSeconds >= 3600 && freshness.FreshnessSeconds < 3700)
  })
})

describe('the end of a run', () => {
  const steps = { orders: { status: 'success' as const, reason: null } }
  const finish = (run: string) =>
    triggers.finish(
      { run: { id: run, workflow: WORKFLOW, started_at: new Date().toISOString(), trigger: 'manual' }, steps },
      context,
    )

  test('is told to other workflows with the runs that led to it, and starts no circle', async () => {
    const cause = { workflow: 'upstream', run: 'r0' }
    await recordRun(triggers, cause.run, cause.workflow)
    await triggers.start(batchOf(updated('a', { causation: [cause] })), context)
    const run = started()

    process.env.DRAY_ENVIRONMENT = 'dev'
    await finish(run).finally(() => delete process.env.DRAY_ENVIRONMENT)

    const [event] = triggers.aws.events
    const message = JSON.stringify({ 'detail-type': event?.DetailType, detail: JSON.parse(event?.Detail ?? '') })
    const request = requestOf(message)
    assert.equal(event?.Source, 'dray.daily')
    assert.equal(event?.DetailType, 'WorkflowCompleted')
    assert.equal(JSON.parse(event?.Detail ?? '').environment, 'dev')
    assert.deepEqual(request.causation, [cause, { workflow: WORKFLOW, run }])
    assert.doesNotThrow(() => refuseCircle(request, 'downstream'))
    assert.throws(() => refuseCircle(request, 'upstream'), /caused by upstream itself/)
    assert.throws(() => refuseCircle(request, WORKFLOW), /caused by daily itself/)
  })

  test('is told with how the checks of its steps have ended', async () => {
    await recordRun(triggers, 'r', WORKFLOW)
    const check = { name: 'unique(id)', table: 'lake.orders', scope: 'run', failing: 0, keys: [], said: null } as const
    const checks = [
      { ...check, severity: 'fail', status: 'passed', seconds: 0 },
      { ...check, severity: 'warn', status: 'not run', seconds: 0 },
    ] as const
    await triggers.state.putStep({ ...emptyStep('r', 'orders'), status: 'success', checks })

    await finish('r')

    const [event] = triggers.aws.events
    assert.deepEqual(JSON.parse(event?.Detail ?? '').checks, { orders: { passed: 1, warned: 1, failed: 0 } })
  })

  test('is told with what has changed of the columns and tables of its sources', async () => {
    await recordRun(triggers, 'r', WORKFLOW)
    const fresh = `shop has new tables, which shop-raw ${NEW_TABLES}: returns, refunds`
    const column = `the column channel of shop.orders ${ADDED}, so lake.orders has it now, too`
    await triggers.state.putStep({ ...emptyStep('r', 'shop-raw'), status: 'success', notes: ['another note', fresh] })
    await triggers.state.putStep({ ...emptyStep('r', 'shop-raw/orders'), status: 'success', notes: [column] })

    await finish('r')

    const [event] = triggers.aws.events
    assert.deepEqual(JSON.parse(event?.Detail ?? '').changes, { 'shop-raw': [fresh], 'shop-raw/orders': [column] })
  })

  test('is one cause, though forty runs of a workflow led to a run, and still starts no circle', async () => {
    await triggers.start(batchOf(updated('first')), context)
    const first = started()
    const end = (run: string) => {
      const causation = [
        { workflow: 'upstream', run: `u-${run}` },
        { workflow: 'hourly', run },
      ]
      return { 'detail-type': 'WorkflowCompleted', detail: { version: 1, id: run, workflow: 'hourly', run, causation } }
    }
    for (let hour = 1; hour <= 40; hour++) {
      await recordRun(triggers, `h${hour}`, 'hourly')
      await recordRun(triggers, `u-h${hour}`, 'upstream')
      await triggers.start(batchOf(end(`h${hour}`)), context)
    }
    const execution = triggers.aws.executions.get(first)
    if (execution) execution.status = 'SUCCEEDED'
    await triggers.janitor(ended(first, 'SUCCEEDED'), context)
    const run = started()

    await finish(run)

    const [event] = triggers.aws.events
    const message = JSON.stringify({ 'detail-type': event?.DetailType, detail: JSON.parse(event?.Detail ?? '') })
    const request = requestOf(message)
    assert.deepEqual(triggers.deadLetters(), [])
    assert.deepEqual(request.causation, [
      { workflow: 'upstream', run: 'u-h40' },
      { workflow: 'hourly', run: 'h40' },
      { workflow: WORKFLOW, run },
    ])
    for (const workflow of ['upstream', 'hourly', WORKFLOW]) {
      assert.throws(() => refuseCircle(request, workflow), /would start itself for ever/)
    }
  })

  test('takes forty runs of one workflow in a single chain for one cause, and the newest 128 of a longer chain', () => {
    const caused = (causation: object[]) => requestOf(JSON.stringify(updated('x', { causation }))).causation
    const forty = Array.from({ length: 40 }, (_, place) => ({ workflow: 'hourly', run: `h${place}` }))
    const wide = Array.from({ length: 300 }, (_, place) => ({ workflow: `w${place}`, run: 'r' }))

    const ofForty = caused(forty)
    const ofWide = caused(wide)

    assert.deepEqual(ofForty, [{ workflow: 'hourly', run: 'h39' }])
    assert.deepEqual(ofWide, wide.slice(-128))
  })

  test('is told again when the bus was away, with the same id', async () => {
    triggers.aws.faults.push('refused', 'refused', 'refused')
    await assert.rejects(finish('by-hand'), { name: 'Transient' })

    await finish('by-hand')
    await finish('by-hand')

    const ids = triggers.aws.events.map(({ Detail }) => (JSON.parse(Detail) as { id: string }).id)
    assert.deepEqual(ids, ['by-hand', 'by-hand'])
  })
})
