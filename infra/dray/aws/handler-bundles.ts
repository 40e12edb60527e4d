import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build, type Metafile, type OutputFile } from 'esbuild'
import type { Engine } from '#dray-infra/project/environment.ts'
import { projectFolder } from '#dray-infra/project/project-folder.ts'
import {
  inlinedSqlFiles,
  lighterHttp,
  plainSchemas,
  withoutAuthorities,
  withoutCleaning,
  withoutLocalState,
  withoutMysqlTables,
  withoutOtherCredentials,
  withoutOtherEngines,
} from './bundle-plugins.ts'
import { outsideHandlers } from './deployed-handlers.ts'

/** Bundled CommonJS packages (`pg`) call `require`, which an ES module does not have. */
const requireInModule =
  "import { createRequire as dray_createRequire } from 'node:module'; const require = dray_createRequire(import.meta.url);"

/** A handler to bundle, with the engines of the databases that it reaches. */
export interface BundledHandler {
  /** The file that exports `handler`, relative to the project's root. */
  readonly handler: string
  readonly engines: readonly Engine[]
}

/**
 * Bundles each handler into a folder with a module, `index.mjs`, those that it imports on demand, and their source
 * maps. The folder is named after its content, so that equal bundles are equal assets. What a handler does not use is
 * left out.
 */
export async function bundleHandlers(
  handlers: readonly BundledHandler[],
  project: string = projectFolder,
  folder: string = join(project, 'cdk.out', 'bundles'),
): Promise<ReadonlyMap<string, string>> {
  const bundles = new Map<string, string>()
  for (const group of Map.groupBy(handlers, groupOf).values()) {
    const waiting = [...(await bundleGroup(group, project))]
    const work = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const [handler, files] = next
        bundles.set(handler, await keep(files, folder))
      }
    }
    await Promise.all(Array.from({ length: BUNDLES_AT_ONCE }, work))
  }
  return bundles
}

/** Each has up to thirty files, and a process may have a thousand open. */
const BUNDLES_AT_ONCE = 8

type Files = ReadonlyMap<string, Uint8Array>

/**
 * One call of esbuild bundles all handlers that leave out the same; apart those that no state machine calls, which a
 * local run has not.
 */
function groupOf({ handler, engines }: BundledHandler): string {
  const isOutside = outsideHandlers.includes(handler)
  return [isOutside, isTransform(handler), ...[...new Set(engines)].sort()].join()
}

function isTransform(handler: string): boolean {
  return handler.endsWith('/transform.ts')
}

async function bundleGroup(group: readonly BundledHandler[], project: string): Promise<ReadonlyMap<string, Files>> {
  const [{ handler: first, engines } = { handler: '', engines: [] }] = group
  const { outputFiles, metafile } = await build({
    absWorkingDir: project,
    entryPoints: group.map(({ handler }, index) => ({ in: handler, out: `index-${index}` })),
    // Nothing is written there; the paths in source maps are relative to it.
    outdir: join(project, 'cdk.out', 'bundles', 'handler'),
    outExtension: { '.js': '.mjs' },
    write: false,
    bundle: true,
    // What is imported on demand is a separate file, read when it is asked for; and what is unused in it is left out.
    splitting: true,
    chunkNames: '[name]-[hash]',
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
    plugins: [
      withoutOtherEngines(engines),
      withoutLocalState,
      withoutMysqlTables,
      withoutAuthorities,
      withoutOtherCredentials,
      lighterHttp,
      plainSchemas,
      inlinedSqlFiles,
      ...(isTransform(first) ? [] : [withoutCleaning]),
    ],
    metafile: true,
    logLevel: 'error',
  })
  return new Map(group.map(({ handler }, index) => [handler, filesOf(`index-${index}.mjs`, outputFiles, metafile)]))
}

/** What an entry needs of a group's files, by their names in its folder; the entry itself is `index.mjs` there. */
function filesOf(entry: string, outputFiles: readonly OutputFile[], metafile: Metafile): Files {
  const reached = reachedFrom(entry, metafile)
  const files = new Map<string, Uint8Array>()
  for (const { path, contents, text } of outputFiles.toSorted((one, other) => (one.path < other.path ? -1 : 1))) {
    const name = basename(path)
    if (!reached.has(basename(name, '.map'))) continue
    const isEntry = name === entry
    const renamed = name.replace(entry, 'index.mjs')
    files.set(renamed, isEntry ? Buffer.from(text.replace(`=${entry}.map`, '=index.mjs.map')) : contents)
  }
  return files
}

/** esbuild also makes files of what is imported on demand by modules that nothing uses. */
function reachedFrom(entry: string, { outputs }: Metafile): ReadonlySet<string> {
  const importsOf = new Map(Object.entries(outputs).map(([path, { imports }]) => [basename(path), imports]))
  const reached = new Set([entry])
  for (const file of reached) {
    for (const { path, external } of importsOf.get(file) ?? []) if (!external) reached.add(basename(path))
  }
  return reached
}

/** Written beside and moved into place, so that no other synth ever sees half of it. */
async function keep(files: Files, folder: string): Promise<string> {
  const hash = createHash('sha256')
  for (const [name, contents] of files) hash.update(name).update(contents)
  const place = join(folder, hash.digest('hex').slice(0, 32))
  if (existsSync(place)) return place
  await mkdir(folder, { recursive: true })
  const beside = await mkdtemp(`${place}-`)
  await Promise.all([...files].map(([name, contents]) => writeFile(join(beside, name), contents)))
  await rename(beside, place).catch(async (error: NodeJS.ErrnoException) => {
    await rm(beside, { recursive: true })
    if (!existsSync(place)) throw error
  })
  return place
}
