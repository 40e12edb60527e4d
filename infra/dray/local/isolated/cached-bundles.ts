import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type BundledHandler, bundleHandlers } from '#dray-infra/aws/handler-bundles.ts'
import { drayFolder, packageFolder } from '#dray-infra/project/project-folder.ts'

/** What of a project goes into its bundles. */
const projectSources = ['functions', 'shared', 'package.json']
/** What else they are made from and by; the packages are those that npm says it has installed. */
const otherSources = [
  drayFolder,
  join(packageFolder, 'aws'),
  join(packageFolder, '../../node_modules/.package-lock.json'),
]

/**
 * As `bundleHandlers`, which takes seconds, unless nothing has changed since these handlers were bundled into this
 * folder.
 */
export async function cachedBundles(
  handlers: readonly BundledHandler[],
  folder: string,
  project: string,
  others: readonly string[] = otherSources,
): Promise<ReadonlyMap<string, string>> {
  const hash = createHash('sha256').update(JSON.stringify(handlers))
  for (const source of projectSources) await addTo(hash, join(project, source))
  for (const source of others) await addTo(hash, source)
  const list = join(folder, `${hash.digest('hex').slice(0, 32)}.json`)
  const known = await listed(list, folder)
  if (known !== null) return known
  const bundles = await bundleHandlers(handlers, project, folder)
  const names = [...bundles].map(([handler, place]) => [handler, basename(place)])
  // Moved into place, so that no other run reads half of it.
  await writeFile(`${list}.${process.pid}`, JSON.stringify(Object.fromEntries(names)))
  await rename(`${list}.${process.pid}`, list)
  return bundles
}

/** The bundles of a list, if they are all there still. */
async function listed(list: string, folder: string): Promise<ReadonlyMap<string, string> | null> {
  if (!existsSync(list)) return null
  const names = JSON.parse(await readFile(list, 'utf8')) as Record<string, string>
  const places = Object.entries(names).map(([handler, name]) => [handler, join(folder, name)] as const)
  return places.every(([, place]) => existsSync(join(place, 'index.mjs'))) ? new Map(places) : null
}

type Hash = ReturnType<typeof createHash>

async function addTo(hash: Hash, path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR') return null
    throw error
  })
  if (entries === null) {
    hash.update(`${basename(path)}\0`).update(await readFile(path))
    return
  }
  hash.update(`${basename(path)}/\0`)
  for (const { name } of entries
    .filter(({ name }) => name !== 'node_modules')
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    await addTo(hash, join(path, name))
  }
}
