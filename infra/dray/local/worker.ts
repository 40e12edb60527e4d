import { workerData } from 'node:worker_threads'
import { keepCompiled } from '#dray-infra/bundle/compile-cache.ts'
import { type KeptBundle, useBundle } from '#dray-infra/bundle/kept-bundle.ts'
import { ignoreExperimentalWarnings } from './experimental-warnings.ts'

/* A thread that stands in for Lambda's execution environment. */

keepCompiled()
ignoreExperimentalWarnings()
const { bundle } = workerData as { readonly bundle: KeptBundle | null }
if (bundle !== null) useBundle(bundle)
await import('./worker-calls.ts')
