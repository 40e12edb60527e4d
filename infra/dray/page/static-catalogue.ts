import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { haveFolder } from '#dray-infra/project/made-folder.ts'
import { clientFiles, ICON, pageHtml } from './assets.ts'
import { catalogueOf } from './catalogue.ts'

export interface WrittenCatalogue {
  /** The page to open. */
  readonly file: string
  readonly models: number
  readonly units: number
}

/** Writes the catalogue as files that a browser opens, of a disk or of any server. */
export async function writeCatalogue(
  project: LoadedProject,
  { folder, title }: { readonly folder: string; readonly title: string },
): Promise<WrittenCatalogue> {
  const catalogue = await catalogueOf(project)
  const { script, style } = await clientFiles('catalogue')
  haveFolder(folder)
  const file = join(folder, 'index.html')
  const files = {
    'index.html': pageHtml(escaped(title), ['catalogue.js']),
    'catalogue.js': `window.drayCatalogue = ${JSON.stringify({ title, catalogue })}\n`,
    'page.js': script,
    'page.css': style,
    'icon.svg': ICON,
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return { file, models: catalogue.models.length, units: catalogue.units.length }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
