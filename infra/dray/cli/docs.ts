import { resolve } from 'node:path'
import type { Command } from 'commander'
import { withStores } from './environment.ts'
import { count, plural } from './format.ts'
import { print } from './output.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

interface DocsOptions extends CommonOptions {
  readonly title?: string
}

export function addDocs(program: Command, _verbs: Verbs): void {
  withCommonOptions(program.command('docs'))
    .description('write the catalogue as pages that need no server: tables, columns, lineage, checks, owners')
    .argument('[folder]', 'where they are written; what has their names there is replaced', 'catalogue')
    .option('--title <text>', 'what the pages are called', 'Catalogue')
    .action((folder: string, _options, command: Command) => docs(folder, command.optsWithGlobals()))
}

async function docs(folder: string, options: DocsOptions): Promise<void> {
  const { catalogueOf } = await import('#dray-infra/page/catalogue.ts')
  const { Copies } = await import('#dray-infra/page/copies.ts')
  const { writeCatalogue } = await import('#dray-infra/page/static-catalogue.ts')
  const { loadProject } = await import('#dray-infra/project/load-project.ts')
  const { json, env, title = 'Catalogue' } = options
  const catalogue = await catalogueOf(await loadProject())
  const hasReplicas = catalogue.units.some(({ kind }) => kind === 'replica')
  // What a replica copies is known from its runs; nothing else is asked.
  const copies =
    hasReplicas || env !== 'local'
      ? await withStores(options, (stores) => new Copies(stores).of(catalogue))
      : { tables: [], unknown: [] }
  const written = await writeCatalogue(catalogue, copies, { folder: resolve(folder), title, env })
  if (json) return printJson('docs', written)
  const { models, units, file } = written
  print(
    `${plural(models, 'table')} and ${count(units)} pipelines and tasks are described in ${file}; open it, or put its folder anywhere.\n`,
  )
}
