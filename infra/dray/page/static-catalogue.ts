import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { haveFolder } from '#dray-infra/project/made-folder.ts'
import { clientFiles, ICON, pageHtml } from './assets.ts'
import type { CatalogueDocument, CopiesDocument } from './documents.ts'

export interface WrittenCatalogue {
  /** The page to open. */
  readonly file: string
  readonly models: number
  readonly units: number
}

/** Writes the catalogue as files that a browser opens, of a disk or of any server. */
export async function writeCatalogue(
  catalogue: CatalogueDocument,
  copies: CopiesDocument,
  { folder, title, env }: { readonly folder: string; readonly title: string; readonly env: string },
): Promise<WrittenCatalogue> {
  const { script, style } = await clientFiles('catalogue')
  haveFolder(folder)
  const file = join(folder, 'index.html')
  const files = {
    'index.html': pageHtml(escaped(title), ['catalogue.js']),
    'catalogue.js': `window.drayCatalogue = ${JSON.stringify({ title, env, catalogue, copies })}\n`,
    'page.js': script,
    'page.css': style,
    'icon.svg': ICON,
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const tables = [...catalogue.models, ...copies.tables.flatMap(({ source, target }) => [source, target])]
  return { file, models: new Set(tables.map(({ table }) => table)).size, units: catalogue.units.length }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
