import { ConfigurationError } from 'dray/internal/errors.ts'
import { checked } from 'dray/internal/messages/message.ts'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { argumentsOf, askedBeside, askedCommand, askedLook } from './asked-commands.ts'
import { entriesOf } from './calls.ts'
import { lookArguments, lookDocument } from './looks.ts'
import { nextStarts } from './next-starts.ts'
import type { Page } from './page.ts'
import { pipelineStates } from './pipelines.ts'
import { keptRows } from './quarantine.ts'
import { runDetail, runDocument } from './runs.ts'

const NEXT = 5
const MOST_RUNS = 10_000
const MOST_LINES = 500
const SHOWN_ROWS = 50
const MOST_ROWS = 500
/** A connection that says nothing for longer is taken for a dead one by some. */
const PULSE_MS = 15_000

export function routes(page: Page): Hono {
  const app = new Hono()
  const { source } = page
  const { state } = source.stores
  app.get('/api/place', (context) => context.json(page.place()))
  app.get('/api/project', async (context) => {
    const document = await page.project()
    const starts = (document.catalogue?.workflows ?? []).map(({ name, schedules }) => [
      name,
      nextStarts(schedules, Date.now(), NEXT),
    ])
    return context.json({ ...document, nextStarts: Object.fromEntries(starts) })
  })
  app.get('/api/runs', async (context) => {
    const { workflow, limit = '50' } = context.req.query()
    const most = Math.min(Math.max(1, Number(limit) || 0), MOST_RUNS)
    const found = await state.runs({ ...(workflow ? { workflow } : {}), limit: most + 1 })
    return context.json({ runs: found.slice(0, most).map(runDocument), hasMore: found.length > most })
  })
  app.get('/api/runs/:id', async (context) => {
    const logs = context.req.query('calls') === 'none' ? null : page.logs
    const detail = await runDetail(source, context.req.param('id'), { catalogue: await page.catalogue(), logs })
    // One that the page has just started is none yet, and no fault.
    return context.json(detail ?? { run: null })
  })
  app.get('/api/runs/:id/log', async (context) => {
    const { step, partition } = context.req.query()
    const entries = await page.logs.of(context.req.param('id'))
    const its = entriesOf(entries, step || null, partition ? Number(partition) : null)
    return context.json({ entries: its.slice(-MOST_LINES), left: Math.max(0, its.length - MOST_LINES) })
  })
  for (const place of ['quarantine', 'findings'] as const) {
    app.get(`/api/${place}`, async (context) => {
      const { pipeline, run, search = '', reason, all, limit } = context.req.query()
      const query = {
        place,
        pipeline: pipeline || null,
        run: run || null,
        words: search.trim(),
        reason: reason || null,
      }
      const most = Math.min(Number(limit) || SHOWN_ROWS, MOST_ROWS)
      return context.json(await keptRows(source, { ...query, isAll: all === 'true', limit: most }))
    })
  }
  addPipelines(app, page)
  addLoop(app, page)
  app.get('/api/commands', (context) => context.json({ commands: page.commands?.list() ?? [] }))
  app.post('/api/commands', async (context) => {
    const found = checked(askedCommand, await context.req.json().catch(() => null))
    if ('fault' in found) return context.json({ error: `Nothing was done: ${found.fault}` }, 400)
    const { args, isRun } = argumentsOf(found.data)
    const commands = actionsOf(page)
    return context.json(isRun ? commands.run(args) : commands.start(args), 202)
  })
  app.get('/api/live', (context) =>
    streamSSE(context, async (stream) => {
      const stop = page.listen((change) => void stream.writeSSE({ data: change }))
      stream.onAbort(stop)
      await stream.writeSSE({ data: 'open' })
      while (!stream.aborted && !stream.closed) {
        await stream.sleep(PULSE_MS)
        await stream.write(': \n\n')
      }
      stop()
    }),
  )
  return app
}

function actionsOf({ commands, source: { env } }: Page) {
  if (commands !== null) return commands
  throw new ConfigurationError(
    `This page shows ${env} and changes nothing there; \`npx dray dev --env ${env} --allow-actions\` lets it.`,
  )
}

function addPipelines(app: Hono, page: Page): void {
  const { source, reader } = page
  const { state } = source.stores
  app.get('/api/pipelines', async (context) => context.json({ states: await pipelineStates(state), now: Date.now() }))
  app.get('/api/copies', async (context) => {
    const catalogue = await page.catalogue()
    return context.json(catalogue === null ? { tables: [], unknown: [] } : await page.copies.of(catalogue))
  })
  app.get('/api/history', async (context) => {
    const step = context.req.query('step') ?? ''
    const all = (await page.catalogue())?.workflows ?? []
    const workflows = all
      .filter(({ steps }) => steps.some(({ name }) => name === step || name === unitOf(step)))
      .map(({ name }) => name)
    return context.json({ points: await page.histories.of(step, workflows) })
  })
  app.get('/api/examine', async (context) => {
    await source.databases
    const pipeline = context.req.query('pipeline') ?? ''
    return context.json({ checks: source.databases === null ? [] : await reader.ask({ kind: 'examine', pipeline }) })
  })
  app.get('/api/preview', async (context) => {
    const { loop } = page
    return context.json(loop === null ? null : await loop.preview(context.req.query('pipeline') ?? ''))
  })
  app.post('/api/beside', async (context) => {
    const found = checked(askedBeside, await context.req.json().catch(() => null))
    if ('fault' in found) return context.json({ error: found.fault }, 400)
    if (source.databases === null) {
      throw new ConfigurationError(
        `The rows of ${source.env} are not held against its target here; \`npx dray preview ${found.data.pipeline} --env ${source.env} --keys <keys>\` shows what the transform makes of them now.`,
      )
    }
    await source.databases
    return context.json(await reader.ask({ kind: 'beside', ...found.data }))
  })
  app.post('/api/look', async (context) => {
    const found = checked(askedLook, await context.req.json().catch(() => null))
    if ('fault' in found) return context.json({ error: found.fault }, 400)
    const { look } = source
    if (look === null) throw new ConfigurationError('The page of the laptop looks at its databases by itself.')
    const args = lookArguments(found.data, await page.catalogue())
    return context.json(lookDocument(found.data, await look(args), source))
  })
}

function addLoop(app: Hono, page: Page): void {
  const { loop, schedules, bus } = page
  app.get('/api/loop', async (context) => {
    const workflows = (await page.catalogue())?.workflows ?? []
    return context.json({
      isWatching: loop !== null,
      ...(loop?.document() ?? { saved: [], types: { isLooking: false, faults: [] } }),
      schedules: { isOn: schedules?.isOn ?? false, next: (await schedules?.next(Date.now(), NEXT)) ?? [] },
      events: workflows.flatMap(({ name, events }) => events.map((event) => ({ workflow: name, ...event }))),
    })
  })
  app.post('/api/schedules', async (context) => {
    if (schedules === null) {
      throw new ConfigurationError(
        `The schedules of ${page.source.env} are AWS's; this page turns those of the laptop.`,
      )
    }
    const { isOn } = await context.req.json()
    schedules.turn(isOn === true)
    page.changes.tell('loop')
    return context.json({ isOn: schedules.isOn })
  })
  app.post('/events', async (context) => {
    const catalogue = await page.catalogue()
    if (bus === null || catalogue === null) {
      throw new ConfigurationError(
        `Events of ${page.source.env} go to its bus; this page takes those of the laptop alone.`,
      )
    }
    const body = await context.req.json().catch(() => null)
    try {
      return context.json(await bus.receive(body, catalogue), 202)
    } catch (error) {
      return context.json({ error: (error as Error).message }, 400)
    }
  })
}
