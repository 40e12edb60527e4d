import { cron, run, workflow } from 'dray/workflow'
import { readings } from '#functions/readings/pipeline.ts'

export const hourly = workflow('hourly', {
  steps: [run(readings)],
  schedule: cron('0 * * * *', { timezone: 'UTC' }),
})
