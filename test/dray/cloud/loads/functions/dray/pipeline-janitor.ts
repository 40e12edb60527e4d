import { pipelineJanitorHandler } from 'dray/internal/lambda/pipeline-janitor.ts'

export const handler = pipelineJanitorHandler()
