import { urlVariable } from 'dray/internal/database/database-url.ts'
import { source, target } from './order-pipelines.ts'
import { openStagedRuns } from './staged-run.ts'

/*
 * One run in a process of its own, a partition at a time as a Lambda has it; prints the megabytes that it had resident
 * at most.
 */

const [sourceUrl, targetUrl] = process.argv.slice(-2)
process.env[urlVariable(source.database.name)] = sourceUrl
process.env[urlVariable(target.database.name)] = targetUrl
const runs = await openStagedRuns({ threads: 1 })
await runs.run({ concurrency: 1 })
await runs.close()
process.stdout.write(String(Math.round(process.resourceUsage().maxRSS / 1024)))
