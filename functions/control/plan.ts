import { planHandler } from '#shared/lambda/index.ts'
import { findPipeline } from './find-pipeline.ts'

export const handler = planHandler(findPipeline)
