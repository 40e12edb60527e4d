import { reconcileHandler } from 'dray/lambda'
import { findPipeline } from './find-pipeline.ts'

export const handler = reconcileHandler(findPipeline)
