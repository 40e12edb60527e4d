import { commitHandler } from '#shared/lambda/index.ts'
import { findPipeline } from './find-pipeline.ts'

export const handler = commitHandler(findPipeline)
