import { globSync, readFileSync } from 'node:fs'
import { dirname, join, posix, resolve } from 'node:path'

/** The repository, whoever's it is. */
export const root: string = resolve(import.meta.dirname, '../../..')

/** One `import … from`, type imports included, or `import(…)` of a name that is written out. */
export interface Import {
  readonly file: string
  /** As it is written. */
  readonly source: string
  /** The file of this repository that it leads to; null for a package. */
  readonly target: string | null
}

interface Manifest {
  readonly name: string
  readonly imports?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, string>>
}

const SKIPPED = new Set(['node_modules', 'cdk.out', '.dray'])

/** Every TypeScript file of the repository, relative to its root. */
export function sourceFiles(): string[] {
  return globSync('{.ci,functions,infra,shared,test}/**/*.{ts,tsx}', {
    cwd: root,
    exclude: (name) => SKIPPED.has(name),
  }).sort()
}

/** Every import of these files. */
export function importsOf(files: readonly string[], read = readSource): Import[] {
  return files.flatMap((file) =>
    [...read(file).matchAll(/^(?:(?:import|export)\b[^'"]*?\bfrom |import |.*\bimport\()'([^']+)'/gms)].map(
      ([, source = '']) => ({
        file,
        source,
        target: targetOf(file, source),
      }),
    ),
  )
}

function readSource(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

const manifests = new Map(
  globSync('{,**/}package.json', { cwd: root, exclude: (name) => SKIPPED.has(name) }).map((file) => [
    dirname(file) === '.' ? '' : dirname(file),
    JSON.parse(readFileSync(join(root, file), 'utf8')) as Manifest,
  ]),
)

/** The folder of the package that a file belongs to. */
function packageOf(file: string): string {
  const folders = [...manifests.keys()].filter((folder) => folder === '' || file.startsWith(`${folder}/`))
  return folders.reduce((one, other) => (other.length > one.length ? other : one))
}

function targetOf(file: string, source: string): string | null {
  if (source.startsWith('.')) return posix.join(dirname(file), source)
  const own = packageOf(file)
  if (source.startsWith('#')) return mapped(own, manifests.get(own)?.imports, source)
  for (const folder of ['shared/dray', 'infra/dray']) {
    const { name = '', exports } = manifests.get(folder) ?? {}
    if (source === name || source.startsWith(`${name}/`))
      return mapped(folder, exports, `.${source.slice(name.length)}`)
  }
  return null
}

/**
 * Where a map of imports or exports leads; the source itself where it has no such entry, so that it is found to be no
 * file.
 */
function mapped(folder: string, map: Readonly<Record<string, string>> = {}, source: string): string {
  for (const [key, value] of Object.entries(map)) {
    if (key === source) return posix.join(folder, value)
    const [before = '', after] = key.split('*')
    if (after !== undefined && source.startsWith(before))
      return posix.join(folder, value.replace('*', source.slice(before.length)))
  }
  return source
}
