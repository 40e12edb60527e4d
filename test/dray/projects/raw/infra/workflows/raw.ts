import { run, workflow } from 'dray/workflow'
import { shopRaw } from '#functions/shop-raw/pipeline.ts'

export const raw = workflow('raw', { steps: [run(shopRaw)] })
