import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { build, type OutputFile, type Plugin } from 'esbuild'
import type { Engine } from './environment.ts'

const project = resolve(import.meta.dirname, '../..')

/** Bundled CommonJS packages (`pg`) call `require`, which an ES module does not have. */
const requireInModule =
  "import { createRequire as dray_createRequire } from 'node:module'; const require = dray_createRequire(import.meta.url);"

/** A handler to bundle, with the engines of the databases that it reaches. */
export interface BundledHandler {
  /** The file that exports `handler`, relative to the project's root. */
  readonly handler: string
  /** SQLite locally only. */
  readonly engines: readonly (Engine | 'sqlite')[]
}

/**
 * Bundles each handler into a folder with one module, `index.mjs`, and its source map. The folder is named after its
 * content, so that equal bundles are equal assets. Drivers of other engines are left out.
 */
export async function bundleHandlers(
  handlers: readonly BundledHandler[],
  folder: string = join(project, 'cdk.out', 'bundles'),
): Promise<ReadonlyMap<string, string>> {
  const bundles = [...Map.groupBy(handlers, groupOf).values()].map(async (group) => {
    const built = await bundleGroup(group)
    return Promise.all([...built].map(async ([handler, files]) => [handler, await keep(files, folder)] as const))
  })
  return new Map((await Promise.all(bundles)).flat())
}

/** One call of esbuild bundles all handlers that leave out the same. */
function groupOf({ handler, engines }: BundledHandler): string {
  return [isTransform(handler), ...new Set(engines)].sort().join()
}

function isTransform(handler: string): boolean {
  return handler.endsWith('/transform.ts')
}

async function bundleGroup(group: readonly BundledHandler[]): Promise<ReadonlyMap<string, readonly OutputFile[]>> {
  const [{ handler: first, engines } = { handler: '', engines: [] }] = group
  const transforms = isTransform(first)
  const { outputFiles } = await build({
    absWorkingDir: project,
    entryPoints: group.map(({ handler }) => ({ in: handler, out: join(handler, 'index') })),
    // Nothing is written there; the paths in source maps are relative to it.
    outdir: join(project, 'cdk.out', 'bundles'),
    outExtension: { '.js': '.mjs' },
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: requireInModule },
    minify: true,
    sourcemap: true,
    sourcesContent: false,
    // `pg` looks for its native twin, which is never installed. The SDK is bundled at the version that was tested.
    external: ['pg-native'],
    plugins: [withoutOtherEngines(engines), withoutAsianCharsets, ...(transforms ? [] : [withoutCleaning])],
    logLevel: 'error',
  })
  return Map.groupBy(outputFiles, ({ path }) => {
    const found = group.find(({ handler }) => path.includes(`/bundles/${handler}/index.mjs`))
    return found?.handler ?? ''
  })
}

/** Where an adapter is imported whose engine no database of the handler has, an empty module takes its place. */
function withoutOtherEngines(engines: readonly string[]): Plugin {
  return {
    name: 'without-other-engines',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\/adapters\/[a-z]+\/index\.ts$/ }, ({ path }) => {
        const engine = /\/adapters\/([a-z]+)\//.exec(path)?.[1] ?? ''
        return engines.includes(engine) ? undefined : { path: engine, namespace: 'unused-engine' }
      })
      onLoad({ filter: /.*/, namespace: 'unused-engine' }, ({ path }) => ({ contents: unusedEngine(path) }))
    },
  }
}

/** 300 kB of tables for Big5, GBK, Shift_JIS and EUC-KR; the sessions of MySQL speak UTF-8. */
const withoutAsianCharsets: Plugin = {
  name: 'without-asian-charsets',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/dbcs-data$/ }, ({ path }) => ({ path, namespace: 'unused-charsets' }))
    onLoad({ filter: /.*/, namespace: 'unused-charsets' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** What only a transform calls, 500 kB of countries, states and phone numbers, is in no other function of the pipeline. */
const withoutCleaning: Plugin = {
  name: 'without-cleaning',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^#shared\/cleaning\// }, ({ path }) => ({ path, namespace: 'unused-cleaning' }))
    onLoad({ filter: /.*/, namespace: 'unused-cleaning' }, ({ path }) => ({ contents: unusedModule(path) }))
  },
}

function unusedModule(path: string): string {
  const message = `${path} is only in the bundles of transform.ts, and another function called it. Call it in the pipeline's transform.`
  return `module.exports = new Proxy({}, {
    get: (_, name) => name === '__esModule' ? true : () => { throw Object.assign(new Error(${JSON.stringify(message)}), { name: 'Terminal' }) }
  })`
}

function unusedEngine(engine: string): string {
  const creator = `create${engine.charAt(0).toUpperCase()}${engine.slice(1)}Adapter`
  const message = `This function was deployed without the driver of ${engine}, so the database cannot be reached. Set the database's engine in infra/aws/environments.ts to ${engine} and deploy again.`
  return `export function ${creator}() { throw Object.assign(new Error(${JSON.stringify(message)}), { name: 'Configuration' }) }`
}

/** Written beside and moved into place, so that no other synth ever sees half of it. */
async function keep(files: readonly OutputFile[], folder: string): Promise<string> {
  const hash = createHash('sha256')
  for (const { path, contents } of files) hash.update(basename(path)).update(contents)
  const place = join(folder, hash.digest('hex').slice(0, 32))
  if (existsSync(place)) return place
  await mkdir(folder, { recursive: true })
  const beside = await mkdtemp(`${place}-`)
  await Promise.all(files.map(({ path, contents }) => writeFile(join(beside, basename(path)), contents)))
  await rename(beside, place).catch(async (error: NodeJS.ErrnoException) => {
    await rm(beside, { recursive: true })
    if (!existsSync(place)) throw error
  })
  return place
}
