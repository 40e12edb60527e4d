import { commitHandler } from 'dray/lambda'
import { findPipeline } from './find-pipeline.ts'

export const handler = commitHandler(findPipeline)
