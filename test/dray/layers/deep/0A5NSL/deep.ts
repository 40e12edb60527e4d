import { pipeline } from 'dray/pipeline/declare/pipeline.ts'
export const made = pipeline
