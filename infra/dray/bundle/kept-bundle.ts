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
  const stamps = [`${process.version} ${process.arch}`, stampOf(join(root, 'node_modules/.package-lock.json'))]
  for (const folder of SOURCES) addTo(stamps, join(root, folder))
  const hash = createHash('sha256').update(stamps.join('\0')).digest('hex')
  return join(compileCache, `command-${hash.slice(0, 24)}`)
}

/** Before every command: some 1,000 files, so no path is made anew that is known to be one. */
function addTo(stamps: string[], folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort(byName)) {
    const { name } = entry
    const path = `${folder}${sep}${name}`
    if (name.endsWith('.ts') || name.endsWith('.json')) stamps.push(path, stampOf(path))
    else if (entry.isDirectory() && name !== 'node_modules') addTo(stamps, path)
  }
}

function byName({ name: one }: Dirent, { name: other }: Dirent): number {
  return one < other ? -1 : 1
}

/** What a change of a file changes; its times have fractions of a millisecond, which is that of many. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`
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
      const isWithin = context.parentURL?.startsWith(within) === true
      // A file of the bundle names the others as they lie beside it: there is nothing to look for.
      if (isWithin && specifier.startsWith('./')) {
        return { url: within + specifier.slice(2), format: 'module', shortCircuit: true }
      }
      const found = next(specifier, context)
      // What is in the bundle asks for a source only to learn where it lies.
      const entry = isWithin ? undefined : entries.get(found.url)
      return entry === undefined ? found : { ...found, url: entry, format: 'module' }
    },
  })
}

export { ENTRIES }
