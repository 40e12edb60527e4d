import { ConfigurationError } from 'dray/internal/errors.ts'
import { checked } from 'dray/internal/messages/message.ts'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { argumentsOf, askedCommand } from './asked-commands.ts'
import { entriesOf } from './calls.ts'
import { nextStarts } from './next-starts.ts'
import type { Page } from './page.ts'
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
    const detail = await runDetail(source, context.req.param('id'), await page.catalogue())
    // One that the page has just started is none yet, and no fault.
    return context.json(detail ?? { run: null })
  })
  app.get('/api/runs/:id/log', async (context) => {
    const { step, partition } = context.req.query()
    const entries = await source.logOf(context.req.param('id')).catch(() => [])
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
