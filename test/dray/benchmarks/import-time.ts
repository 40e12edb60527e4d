import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { bundleHandlers } from 'dray-infra/internal/aws/handler-bundles.ts'
import { fixtureFolder } from '#test/fixture-project.ts'
import { limitResult, medianOf, progress, type Result } from './measure.ts'

const ROUNDS = 9

/**
 * What a Lambda's first call waits for: the import of its bundle in a process that has just started, with no compile
 * cache.
 */
export async function importTime(): Promise<Result[]> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-bench-bundles-'))
  try {
    const handler = 'functions/orders/load.ts'
    const results: Result[] = []
    for (const engine of ['postgres', 'mysql'] as const) {
      progress(`bundling ${handler} for ${engine}`)
      const bundles = await bundleHandlers([{ handler, engines: [engine] }], fixtureFolder, folder)
      const place = bundles.get(handler) ?? ''
      const bundle = join(place, 'index.mjs')
      const kilobytes = await kilobytesIn(place)
      const milliseconds = await coldImports(bundle, folder)
      progress(`  ${kilobytes} kB, ${medianOf(milliseconds).toFixed(1)} ms`)
      results.push(
        limitResult(
          `import of the bundled load handler for ${engine}, cold process`,
          'ms',
          milliseconds,
          100,
          `${kilobytes} kB, its adapter included`,
        ),
      )
    }
    return results
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Of all modules, those that are read on demand included. */
async function kilobytesIn(folder: string): Promise<number> {
  const modules = (await readdir(folder)).filter((file) => file.endsWith('.mjs'))
  const sizes = await Promise.all(modules.map(async (file) => (await stat(join(folder, file))).size))
  return Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1000)
}

async function coldImports(bundle: string, folder: string): Promise<number[]> {
  const script = join(folder, 'import.mjs')
  await writeFile(
    script,
    `const start = performance.now(); await import(${JSON.stringify(pathToFileURL(bundle).href)}); process.stdout.write(String(performance.now() - start)); process.exit()`,
  )
  const { NODE_COMPILE_CACHE, ...environment } = process.env
  const milliseconds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const { stdout } = await promisify(execFile)(process.execPath, [script], {
      env: { ...environment, NODE_DISABLE_COMPILE_CACHE: '1' },
    })
    milliseconds.push(Number(stdout))
  }
  return milliseconds
}
