import { cron, event, reconcile, run, workflow } from 'dray/workflow'
import { copied } from '#functions/copied/pipeline.ts'
import { items } from '#functions/items/pipeline.ts'
import { kept } from '#functions/kept/pipeline.ts'
import { listed } from '#functions/listed/pipeline.ts'
import { logged } from '#functions/logged/pipeline.ts'
import { countItems } from '#functions/mart/task.ts'
import { newest } from '#functions/newest/pipeline.ts'
import { readings } from '#functions/readings/pipeline.ts'
import { versions } from '#functions/versions/pipeline.ts'

const pipelines = [items, kept, listed, logged, newest, versions]

export const everything = workflow('everything', {
  steps: [
    ...pipelines.map((one) => run(one)),
    run(countItems, { after: [items] }),
    reconcile(items, { after: [items] }),
    reconcile(kept, { after: [kept] }),
  ],
  schedule: cron('0 2 * * *', { timezone: 'Europe/Helsinki' }),
  on: event('upstream.items', 'EntityUpdated'),
})

export const wide = workflow('wide', { steps: [run(readings)], schedule: cron('0 3 * * *', { timezone: 'UTC' }) })

export const copies = workflow('copies', { steps: [run(copied), run(copied.table('album'))] })
