import type { Command } from 'commander'
import { drayVersion, projectFolder } from '#dray-infra/project/project-folder.ts'
import type { MergedFile, Upgrade } from '#dray-infra/upgrade/upgrade.ts'
import { plural } from './format.ts'
import { print } from './output.ts'
import { printJson, type Verbs } from './verb.ts'

interface UpgradeOptions {
  readonly dryRun?: boolean
  readonly json?: boolean
}

export function addUpgrade(program: Command, _verbs: Verbs): void {
  program
    .command('upgrade')
    .description('replace the framework in this project by another version, and merge what both write in')
    .argument('<source>', 'a folder with that version, or a Git URL with a ref: https://example.com/dray.git#v1.2.0')
    .option('--dry-run', 'say what would change, and change nothing')
    .option('--json', 'print one JSON document on stdout')
    .action((source: string, _options, command: Command) => upgrade(source, command.optsWithGlobals()))
}

async function upgrade(place: string, options: UpgradeOptions): Promise<void> {
  // All of it is loaded before the files that it comes from are replaced.
  const { planUpgrade, requireCommitted } = await import('#dray-infra/upgrade/upgrade.ts')
  const { openSource } = await import('#dray-infra/upgrade/framework-source.ts')
  if (!options.dryRun) await requireCommitted(projectFolder)
  const source = await openSource(place)
  try {
    const from = drayVersion()
    const planned = await planUpgrade(projectFolder, source.folder)
    if (!options.dryRun) await planned.apply()
    const { files, merged } = planned
    if (options.json) printJson('upgrade', { from, to: source.version, applied: !options.dryRun, files, merged })
    else print(report(planned, { from, to: source.version, dryRun: options.dryRun === true }))
  } finally {
    await source.close()
  }
}

interface Versions {
  readonly from: string
  readonly to: string
  readonly dryRun: boolean
}

function report({ files, merged }: Upgrade, { from, to, dryRun }: Versions): string {
  const { added, changed, removed } = files
  const lines = [
    `Dray ${from} → ${to}: ${plural(added.length, 'file')} added, ${changed.length} changed, ${removed.length} removed.`,
    ...added.map((file) => `  + ${file}`),
    ...changed.map((file) => `  ~ ${file}`),
    ...removed.map((file) => `  - ${file}`),
    ...merged.flatMap(mergedLines),
    dryRun
      ? 'Nothing was changed. Leave --dry-run out to do it.'
      : 'Next: `npm ci && npm run check`, then `git diff` and `git commit`; `git checkout . && git clean -fd` takes it back.',
  ]
  return `${lines.join('\n')}\n`
}

const said = {
  set: 'set',
  removed: 'removed',
  kept: 'kept as you have it, though the framework has changed it, too: look at it',
}

function mergedLines({ file, keys }: MergedFile): string[] {
  return keys.map(({ key, change }) => `  ${file}${key === '' ? '' : ` ${key}`}: ${said[change]}`)
}
