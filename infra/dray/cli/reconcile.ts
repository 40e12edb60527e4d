import type { Command } from 'commander'
import { isTableStep } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Reconciliation, RowDifference } from 'dray/internal/pipeline/inspect/reconciliation.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import type { Reloaded } from 'dray/internal/pipeline/stages/reload.ts'
import { visible } from '#dray-infra/texts/invisible.ts'
import { comparisonProgress } from './comparison-progress.ts'
import { countedRows, countedText, isCountedAlone } from './counted-rows.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { oneLine, plural } from './format.ts'
import { print } from './output.ts'
import { type Compared, differencesIn, document } from './reconciled.ts'
import { type Column, textTable } from './text-table.ts'
import {
  type CommonOptions,
  type ProgressMode,
  printJson,
  progressOption,
  type Verbs,
  withCommonOptions,
} from './verb.ts'

interface ReconcileOptions extends CommonOptions {
  readonly deep?: boolean
  readonly fix?: boolean
  readonly progress: ProgressMode
}

/** Differences that are printed for a person; --json has up to 10,000. */
const SHOWN = 50

export function addReconcile(program: Command, verbs: Verbs): void {
  withCommonOptions(program.command('reconcile'))
    .description('compare a source, sent through the transform, with its target; prints what differs')
    .argument('<pipeline>', 'a pipeline, a replica with all of its tables, or one of these')
    .option('--deep', 'compare every row, even where the digests of the databases agree')
    .option('--fix', 'load the rows that are missing or differ again; leaves last_run alone')
    .addOption(progressOption())
    .action(async (pipeline: string, _options, command: Command) => {
      verbs.exitCode = await run(pipeline, command.optsWithGlobals())
    })
}

/** Exits with 1 when differences are found; with --fix, when some are left. */
async function run(name: string, options: ReconcileOptions): Promise<ExitCode> {
  const { commandFor, withUnit } = await import('./environment.ts')
  const { reconcile } = await import('dray/internal/pipeline/inspect/reconcile.ts')
  const { reloadKeys } = await import('dray/internal/pipeline/stages/reload.ts')
  const { askedModel } = await import('dray/internal/pipeline/plan/asked-model.ts')
  const { refuseUnfit } = await import('#dray-infra/doctor/refuse-broken.ts')
  const { newRunId } = await import('dray/internal/messages/run-id.ts')
  const tell = comparisonProgress(options)
  const compared = async (pipeline: Pipeline, services: Services): Promise<Compared> => {
    const compare = () =>
      reconcile(pipeline, services, { deep: options.deep ?? false, onRows: (rows) => tell(pipeline.name, rows) })
    const found = await compare()
    const keys = found.differences.flatMap(({ sourceKey }) => (sourceKey === null ? [] : [sourceKey as string[]]))
    const reloaded = options.fix && keys.length > 0 ? await reloadKeys(pipeline, keys, services, newRunId) : null
    return { found, reloaded, left: reloaded === null ? found : await compare() }
  }
  return withUnit(options, name, async (unit, services) => {
    const { copiedTable, reconcileReplica } = await import('./replica-reconcile.ts')
    if (unit.kind === 'replica' && !isTableStep(name)) {
      return reconcileReplica(unit, services, {
        compare: (pipeline) => compared(pipeline, services),
        json: options.json,
        pasted: (command) => commandFor(options, command),
      })
    }
    const pipeline = unit.kind === 'pipeline' ? unit : await copiedTable(unit, name)
    if (isCountedAlone(pipeline)) {
      const counted = await countedRows(pipeline)
      if (options.json) printJson('reconcile', { pipeline: name, counted })
      else print(`${name}: ${countedText(counted)}.\n`)
      return counted.source === counted.target ? exitCodes.ok : exitCodes.failed
    }
    await refuseUnfit(name, [askedModel(pipeline.extract), pipeline.load.target])
    const { found, reloaded, left } = await compared(pipeline, services)
    if (options.json) printJson('reconcile', document(found, reloaded, left))
    else print(text(found, { reloaded, left, fix: commandFor(options, `dray reconcile ${name} --fix`) }))
    return differencesIn(left) === 0 ? exitCodes.ok : exitCodes.failed
  })
}

/** What was done about the differences. */
interface Fixing {
  readonly reloaded: Reloaded | null
  readonly left: Reconciliation
  /** The command that would mend them. */
  readonly fix: string
}

function text(found: Reconciliation, fixing: Fixing): string {
  const { source, target, counts, leftOut } = found
  const without = Object.entries(leftOut).filter(([, rows]) => rows > 0)
  const hidden = differencesIn(found) - Math.min(SHOWN, found.differences.length)
  const lines = [
    `${source.table}: ${plural(source.rows, 'row')}; ${target.table}: ${plural(target.rows, 'row')}.`,
    `Compared: ${plural(found.ranges, 'key range')}, ${found.equalByDigest} by digests that the databases computed, ${plural(found.rowsCompared, 'row')} one by one; columns ${found.columns.join(', ')}.`,
    ...(without.length === 0 ? [] : [`Left out: ${without.map(([why, rows]) => `${rows} ${why}`).join(', ')}.`]),
    ...found.notes.map((note) => `note: ${oneLine(note)}`),
    ...(differencesIn(found) === 0 ? [] : ['', textTable(columns, found.differences.slice(0, SHOWN))]),
    ...(hidden > 0 ? [`… and ${hidden} more`] : []),
    '',
    differencesIn(found) === 0
      ? `${found.pipeline}: no differences.`
      : `${found.pipeline}: ${counts.missing} missing, ${counts.extra} extra, ${counts.different} different.`,
    ...fixText(found, fixing),
  ]
  return `${lines.join('\n')}\n`
}

function fixText(found: Reconciliation, { reloaded, left, fix }: Fixing): string[] {
  if (differencesIn(found) === 0) return []
  if (reloaded === null) return [`Next: \`${fix}\` loads what is missing or differs again; extra rows stay.`]
  const { read, written, quarantined } = reloaded
  const { missing, extra, different } = left.counts
  return [
    `Loaded again: ${plural(read, 'row')} read, ${written} written, ${quarantined} quarantined.`,
    differencesIn(left) === 0
      ? 'Nothing is left.'
      : `Left: ${missing} missing, ${extra} extra, ${different} different.`,
  ]
}

const columns: Column<RowDifference>[] = [
  { title: 'difference', value: ({ kind }) => kind },
  {
    title: 'key',
    value: ({ key }) =>
      Object.entries(key)
        .map(([name, value]) => `${name}=${visible(value ?? 'NULL')}`)
        .join(', '),
  },
  { title: 'columns', value: ({ columns: names }) => names.join(', ') },
]
