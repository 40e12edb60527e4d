import { keepCompiled } from '#dray-infra/bundle/compile-cache.ts'
import { keptBundle, useBundle } from '#dray-infra/bundle/kept-bundle.ts'

keepCompiled()
const bundle = keptBundle()
if (bundle !== null) useBundle(bundle)

const { main } = await import('./main.ts')
const code = await main(process.argv.slice(2))
// Pools of sockets would keep the process for seconds; what was written has to get out first.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
process.exit(code)
