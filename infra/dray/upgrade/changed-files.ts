import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** How the files of a folder differ from those of another. */
export interface ChangedFiles {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

/** npm makes it; no version of the framework has one. */
const LEFT = 'node_modules'

/** What replacing `part` of one project by that of another changes, by path from the project's root. */
export async function changedFiles(part: string, from: string, to: string): Promise<ChangedFiles> {
  const [before, after] = await Promise.all([digests(from, part), digests(to, part)])
  return {
    added: [...after.keys()].filter((file) => !before.has(file)),
    changed: [...after]
      .filter(([file, digest]) => before.has(file) && before.get(file) !== digest)
      .map(([file]) => file),
    removed: [...before.keys()].filter((file) => !after.has(file)),
  }
}

async function digests(root: string, part: string): Promise<ReadonlyMap<string, string>> {
  const found = await stat(join(root, part)).catch(() => null)
  if (found === null) return new Map()
  const files = found.isDirectory() ? await filesIn(root, part) : [part]
  const pairs = files.map(async (file): Promise<[string, string]> => {
    return [
      file,
      createHash('sha256')
        .update(await readFile(join(root, file)))
        .digest('hex'),
    ]
  })
  return new Map(await Promise.all(pairs))
}

async function filesIn(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  const nested = entries
    .filter(({ name }) => name !== LEFT)
    .map((entry) => {
      const path = `${folder}/${entry.name}`
      return entry.isDirectory() ? filesIn(root, path) : [path]
    })
  return (await Promise.all(nested)).flat().sort()
}
