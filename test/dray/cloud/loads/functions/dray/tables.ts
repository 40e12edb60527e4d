import { tablesHandler } from 'dray/lambda'
import { findPipeline } from './find-pipeline.ts'

export const handler = tablesHandler(findPipeline)
