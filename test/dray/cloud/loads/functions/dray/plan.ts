import { planHandler } from 'dray/lambda'
import { findPipeline } from './find-pipeline.ts'

export const handler = planHandler(findPipeline)
