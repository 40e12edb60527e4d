import { resolve } from 'node:path'
import type { Command } from 'commander'
import { count, plural } from './format.ts'
import { print } from './output.ts'
import { printJson, type Verbs } from './verb.ts'

interface DocsOptions {
  readonly json?: boolean
  readonly title?: string
}

export function addDocs(program: Command, _verbs: Verbs): void {
  program
    .command('docs')
    .description('write the catalogue as pages that need no server: models, columns, lineage, checks, owners')
    .argument('[folder]', 'where they are written; what has their names there is replaced', 'catalogue')
    .option('--title <text>', 'what the pages are called', 'Catalogue')
    .option('--json', 'print one JSON document on stdout')
    .action((folder: string, _options, command: Command) => docs(folder, command.optsWithGlobals()))
}

async function docs(folder: string, { json, title = 'Catalogue' }: DocsOptions): Promise<void> {
  const { writeCatalogue } = await import('#dray-infra/page/static-catalogue.ts')
  const { loadProject } = await import('#dray-infra/project/load-project.ts')
  const written = await writeCatalogue(await loadProject(), { folder: resolve(folder), title })
  if (json) return printJson('docs', written)
  const { models, units, file } = written
  print(
    `${plural(models, 'table')} and ${count(units)} pipelines and tasks are described in ${file}; open it, or put its folder anywhere.\n`,
  )
}
