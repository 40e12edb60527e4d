import { openStagedRuns } from './staged-run.ts'

/* Runs the staged pipeline each time its parent asks, over the databases, staging and state of its environment. */

const runs = await openStagedRuns({ isElsewhere: true })
await runs.run()
process.send?.('ready')
process.on('message', async () => {
  const start = performance.now()
  await runs.run()
  process.send?.(performance.now() - start)
})
process.once('disconnect', () => process.exit())
