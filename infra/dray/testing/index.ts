/** What tests of pipelines are written with. */
export { type Transformed, transformed } from './transformed.ts'
