import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorNamed, mapOf, runMachine, type TestFunction, taskOf } from './machine.ts'

test('keeps the order of the items, whatever the order in which they end', async () => {
  const { output } = await runMachine({ each: mapOf('Slow') }, [3, 1, 2], {
    Slow: async (payload, { wait }) => {
      await wait(payload as number)
      return `${payload}`
    },
  })

  assert.deepEqual(output, ['3', '1', '2'])
})

test('keeps lists of none and of one item lists', async () => {
  const echo: TestFunction = (payload) => payload

  const none = await runMachine({ each: mapOf('Echo') }, [], { Echo: echo })
  const one = await runMachine({ each: mapOf('Echo') }, [{ partition: 0 }], { Echo: echo })
  const nested = await runMachine({ each: mapOf('Echo', { Output: { results: '{% $states.result %}' } }) }, [[1]], {
    Echo: echo,
  })

  assert.deepEqual([none.output, one.output, nested.output], [[], [{ partition: 0 }], { results: [[1]] }])
})

test('runs at most MaxConcurrency items at once, and 40 when it is 0', async () => {
  const mostAtOnce = async (concurrency: unknown, items: number) => {
    let running = 0
    let most = 0
    const { clock } = await runMachine(
      { each: mapOf('Slow', { MaxConcurrency: concurrency }) },
      Array.from({ length: items }, (_, n) => n),
      {
        Slow: async (_, { wait }) => {
          most = Math.max(most, ++running)
          await wait(1)
          running--
        },
      },
    )
    return [most, clock.now()]
  }

  assert.deepEqual(await mostAtOnce('{% 1 + 2 %}', 7), [3, 3000])
  assert.deepEqual(await mostAtOnce(1, 3), [1, 3000])
  assert.deepEqual(await mostAtOnce(0, 50), [40, 2000])
})

test('refuses a concurrency or items that make no sense', async () => {
  const negative = await runMachine({ each: mapOf('Echo', { MaxConcurrency: '{% -1 %}' }) }, [1])
  const half = await runMachine({ each: mapOf('Echo', { MaxConcurrency: '{% 0.5 %}' }) }, [1])
  const text = await runMachine({ each: mapOf('Echo') }, 'not a list')

  for (const { error } of [negative, half, text]) assert.equal(error, 'States.QueryEvaluationError')
})

test('gives each item what ItemSelector makes of it and of the state around it', async () => {
  const { output } = await runMachine(
    {
      each: mapOf('Echo', {
        Items: '{% $states.input.items %}',
        ItemSelector: {
          of: '{% $states.input.name %}',
          index: '{% $states.context.Map.Item.Index %}',
          value: '{% $states.context.Map.Item.Value %}',
        },
      }),
    },
    { name: 'n', items: ['a', 'b'] },
    { Echo: (payload) => payload },
  )

  assert.deepEqual(output, [
    { of: 'n', index: 0, value: 'a' },
    { of: 'n', index: 1, value: 'b' },
  ])
})

test('stops the items that run and starts no more when one fails', async () => {
  const aborted: unknown[] = []
  const started: unknown[] = []
  const { error, cause, events, clock } = await runMachine(
    { each: mapOf('Work', { MaxConcurrency: 3 }) },
    [0, 1, 2, 3, 4],
    {
      Work: async (payload, { signal, wait }) => {
        started.push(payload)
        signal.addEventListener('abort', () => aborted.push(payload))
        await wait(payload === 1 ? 2 : 10)
        throw errorNamed('Terminal', `item ${payload}`)
      },
    },
  )

  assert.equal(error, 'Terminal')
  assert.match(cause ?? '', /item 1/)
  assert.deepEqual(started, [0, 1, 2])
  assert.deepEqual(aborted, [0, 2])
  assert.equal(clock.now(), 2000)
  const iterations = events.flatMap((event) =>
    event.type.startsWith('map-iteration') && 'index' in event ? [`${event.type.slice(14)} ${event.index}`] : [],
  )
  assert.deepEqual(iterations.sort(), ['aborted 0', 'aborted 2', 'failed 1', 'started 0', 'started 1', 'started 2'])
})

test('stops an item that waits for its retry when another fails', async () => {
  const { error, events } = await runMachine(
    {
      each: mapOf('Work', {
        ItemProcessor: {
          ProcessorConfig: { Mode: 'INLINE' },
          StartAt: 'item',
          States: { item: taskOf('Work', { Retry: [{ ErrorEquals: ['Transient'], IntervalSeconds: 30 }], End: true }) },
        },
      }),
    },
    [0, 1],
    {
      Work: async (payload, { wait }) => {
        if (payload === 0) throw errorNamed('Transient')
        await wait(5)
        throw errorNamed('Terminal')
      },
    },
  )

  assert.equal(error, 'Terminal')
  assert.equal(events.at(-1)?.at, 5000)
  assert.equal(events.filter(({ type }) => type === 'task-scheduled').length, 2)
})

test('goes on from a failed Map where its Catch says', async () => {
  const { output } = await runMachine(
    {
      each: mapOf('Broken', { Catch: [{ ErrorEquals: ['Terminal'], Output: 'caught', Next: 'end' }] }),
      end: { Type: 'Succeed' },
    },
    [1, 2],
    {
      Broken: () => {
        throw errorNamed('Terminal')
      },
    },
  )

  assert.equal(output, 'caught')
})

const branch = (name: string) => ({ StartAt: name, States: { [name]: taskOf(name) } })

test('runs branches side by side and gives their outputs in order, one branch included', async () => {
  const slow =
    (seconds: number): TestFunction =>
    async (payload, { wait }) => {
      await wait(seconds)
      return [payload, seconds]
    }

  const two = await runMachine(
    { both: { Type: 'Parallel', Arguments: { n: 1 }, Branches: [branch('One'), branch('Two')], End: true } },
    'not for the branches',
    { One: slow(5), Two: slow(2) },
  )
  const one = await runMachine({ all: { Type: 'Parallel', Branches: [branch('One')], End: true } }, 'in', {
    One: slow(1),
  })

  assert.deepEqual(two.output, [
    [{ n: 1 }, 5],
    [{ n: 1 }, 2],
  ])
  assert.equal(two.clock.now(), 5000)
  assert.deepEqual(one.output, [['in', 1]])
})

test('stops the other branches when one fails, through the Maps in them', async () => {
  let aborted = 0
  const { error, events } = await runMachine(
    {
      both: {
        Type: 'Parallel',
        Branches: [branch('Broken'), { StartAt: 'each', States: { each: mapOf('Work', { MaxConcurrency: 1 }) } }],
        End: true,
      },
    },
    [1, 2, 3],
    {
      Broken: async (_, { wait }) => {
        await wait(3)
        throw errorNamed('Terminal')
      },
      Work: async (_, { signal, wait }) => {
        signal.addEventListener('abort', () => aborted++)
        await wait(2)
      },
    },
  )

  assert.equal(error, 'Terminal')
  assert.equal(aborted, 1)
  assert.equal(events.at(-1)?.at, 3000)
  assert.equal(events.filter(({ type }) => type === 'map-iteration-started').length, 2)
})

test('aborts the execution: tells the tasks, starts nothing more, runs no catcher', async () => {
  const controller = new AbortController()
  const caught = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'end' }] }
  const { status, error, cause, events } = await runMachine(
    { each: mapOf('Work', { MaxConcurrency: 2, ...caught }), end: { Type: 'Succeed' } },
    [1, 2, 3, 4],
    {
      Work: async (payload, { wait }) => {
        await wait(5)
        if (payload === 2) controller.abort(errorNamed('Interrupted', 'Ctrl-C'))
        await wait(5)
      },
    },
    { signal: controller.signal },
  )

  assert.deepEqual([status, error, cause], ['ABORTED', 'Interrupted', 'Ctrl-C'])
  assert.equal(events.filter(({ type }) => type === 'task-scheduled').length, 2)
  assert.deepEqual([events.at(-1)?.type, events.at(-1)?.at], ['execution-aborted', 5000])
  assert.ok(!events.some((event) => event.type === 'state-entered' && event.state === 'end'))
})

test('starts nothing when it was aborted before', async () => {
  const { status, events } = await runMachine(
    { only: taskOf('Work') },
    {},
    {},
    { signal: AbortSignal.abort(errorNamed('Early')) },
  )

  assert.equal(status, 'ABORTED')
  assert.deepEqual(
    events.map(({ type }) => type),
    ['execution-started', 'execution-aborted'],
  )
})

test('waits at the end for aborted functions to clean up, but not for ever', async () => {
  const ending = async (cleanupSeconds: number) => {
    const controller = new AbortController()
    let cleanedUp = false
    const { clock } = await runMachine(
      { only: taskOf('Work') },
      {},
      {
        Work: async (_, { wait }) => {
          await wait(1)
          controller.abort(errorNamed('Interrupted'))
          await wait(cleanupSeconds, 'deaf')
          cleanedUp = true
        },
      },
      { signal: controller.signal, graceMs: 5_000 },
    )
    return [cleanedUp, clock.now()]
  }

  assert.deepEqual(await ending(3), [true, 4000])
  assert.deepEqual(await ending(60), [false, 6000])
})
