import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'

const root = join(packageFolder, '../..')

/** Writes a project of these files, which finds the packages that are installed here. */
export function writeProject(files: Readonly<Record<string, string>>): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'dray-project-'))
  const imports = { '#models/*': './shared/models/*', '#functions/*': './functions/*' }
  const manifest = JSON.stringify({ name: 'small', private: true, type: 'module', imports })
  for (const [name, text] of Object.entries({ 'package.json': manifest, ...files })) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
