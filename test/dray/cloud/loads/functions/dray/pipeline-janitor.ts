import { pipelineJanitorHandler } from 'dray/lambda'

export const handler = pipelineJanitorHandler()
