import { createHash } from 'node:crypto'
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { compileCache } from './compile-cache.ts'

/*
 * The command and its threads are made of some 900 small files, each of which Node finds, strips of its types and
 * compiles by itself: that takes longer than most runs do. So they are kept as a few large ones, made of exactly the
 * files that are there; where these have changed, they are what runs. The user's own files are never among them.
 */

/** The entries of a bundle in place of the files that they are made of. */
export interface KeptBundle {
  readonly folder: string
  /** The file in the folder, by the URL of the source. */
  readonly entries: Readonly<Record<string, string>>
}

const ENTRIES = 'entries.json'
const root = join(import.meta.dirname, '../../..')
const SOURCES = ['shared/dray', 'infra/dray']

/** The folder of the bundle of what is installed now, whether it has been made or not. */
export function bundleFolder(): string {
  const hash = createHash('sha256').update(`${process.version} ${process.arch}`)
  hash.update(stampOf(join(root, 'node_modules/.package-lock.json')))
  for (const folder of SOURCES) addTo(hash, join(root, folder))
  return join(compileCache, `command-${hash.digest('hex').slice(0, 24)}`)
}

function addTo(hash: ReturnType<typeof createHash>, folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort(byName)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && entry.name !== 'node_modules') addTo(hash, path)
    else if (/\.(ts|json)$/.test(entry.name)) hash.update(`${path}\0${stampOf(path)}\0`)
  }
}

function byName({ name: one }: Dirent, { name: other }: Dirent): number {
  return one < other ? -1 : 1
}

/** What a change of a file changes; a time in nanoseconds, since one of milliseconds is that of many. */
function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
}

/** The bundle of what is installed now; null where there is none. */
export function keptBundle(folder: string = bundleFolder()): KeptBundle | null {
  try {
    return { folder, entries: JSON.parse(readFileSync(join(folder, ENTRIES), 'utf8')) }
  } catch {
    return null
  }
}

let used: KeptBundle | null = null

/** The bundle that this thread works with. */
export function usedBundle(): KeptBundle | null {
  return used
}

/** From here on, whoever imports a source that is an entry of the bundle gets the entry. */
export function useBundle(bundle: KeptBundle): void {
  used = bundle
  const within = pathToFileURL(bundle.folder + sep).href
  const entries = new Map(Object.entries(bundle.entries).map(([source, file]) => [source, `${within}${file}`]))
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context)
      // What is in the bundle asks for a source only to learn where it lies.
      const entry = context.parentURL?.startsWith(within) ? undefined : entries.get(found.url)
      return entry === undefined ? found : { ...found, url: entry, format: 'module' }
    },
  })
}

export { ENTRIES }
