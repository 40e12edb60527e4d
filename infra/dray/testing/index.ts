/** What tests of pipelines are written with. */
export { type PipelineTest, type RowTest, testPipeline } from './test-pipeline.ts'
export { testRun } from './test-run.ts'
export type { NextRunOptions, TestedRun, TestRunOptions } from './tested-run.ts'
