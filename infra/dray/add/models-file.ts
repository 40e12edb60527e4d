import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { camelCase } from 'dray/internal/active-record/names.ts'
import { tableNameOf, tableText } from 'dray/internal/database/table-name.ts'
import { withNames } from './edits.ts'
import type { FileChanges } from './file-changes.ts'
import type { ModelText } from './model-text.ts'

const FOLDER = 'shared/models'

/** The file in which a database and its models are declared. */
export interface ModelsFile {
  readonly path: string
  /** `#models/sales.ts` */
  readonly specifier: string
  /** What the file calls the database. */
  readonly database: string
}

/** The file of a database; a new one is begun where no file declares it. */
export function modelsFile(changes: FileChanges, folder: string, name: string): ModelsFile {
  for (const file of readdirSync(join(folder, FOLDER)).filter((one) => one.endsWith('.ts'))) {
    const path = `${FOLDER}/${file}`
    const [, database] =
      new RegExp(`export const (\\w+) = database\\(\\s*['"]${name}['"]`).exec(changes.read(path) ?? '') ?? []
    if (database !== undefined) return { path, specifier: `#models/${file}`, database }
  }
  const path = `${FOLDER}/${name}.ts`
  const database = camelCase(name)
  if (changes.read(path) === null) {
    changes.write(path, `import { database } from 'dray'\n\nexport const ${database} = database('${name}')\n`)
  }
  return { path, specifier: `#models/${name}.ts`, database }
}

/** The exported class of a table, where the file has one. */
export function classOf(changes: FileChanges, { path }: ModelsFile, table: string): string | null {
  const classes = /export class (\w+) extends \w+\.(?:source|table)\(\s*(?:'((?:[^'\\]|\\.)*)'|"([^"]*)")/g
  for (const [, name, single, double] of (changes.read(path) ?? '').matchAll(classes)) {
    if (tableText(tableNameOf(single ?? double ?? '')) === table) return name as string
  }
  return null
}

export function hasClass(changes: FileChanges, { path }: ModelsFile, name: string): boolean {
  return new RegExp(`\\b(?:class|const|function) ${name}\\b`).test(changes.read(path) ?? '')
}

export function addModel(changes: FileChanges, { path }: ModelsFile, { imports, text }: ModelText): void {
  const present = changes.read(path) ?? ''
  changes.write(path, `${withNames(present, imports, 'dray').trimEnd()}\n\n${text}`)
}
