import { ConfigurationError } from 'dray/internal/errors.ts'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { DamagedObjects } from 'dray/internal/pipeline/quarantine/damaged-objects.ts'
import type { KeptRow, ReadingOptions } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { pipelinesOf } from 'dray/internal/pipeline/quarantine/named-pipelines.ts'
import { summaries } from 'dray/internal/pipeline/quarantine/summaries.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import { allUnitsOf } from 'dray/internal/workflow/placeholders.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { commandFor, withStores } from './environment.ts'
import { print } from './output.ts'
import { unitNamed } from './pipelines.ts'
import { findingsDocument, findingsText, listText, notesText, openOnly, summaryDocument } from './quarantine-report.ts'
import { type RowPrinter, rowPrinter } from './quarantine-rows.ts'
import { type CommonOptions, printJson } from './verb.ts'

export interface ListOptions extends CommonOptions {
  readonly all?: boolean
}

export interface ShowOptions extends ListOptions {
  readonly limit: number
}

/** Where rows are looked for: what was quarantined, or what was loaded with findings. */
interface Kept {
  pipelines(staging: StagingStore): Promise<string[]>
  rows(staging: StagingStore, pipeline: string, options: ReadingOptions): AsyncIterable<KeptRow>
}

async function keptIn(place: 'quarantine' | 'findings'): Promise<Kept & { readonly damaged: DamagedObjects }> {
  const { DamagedObjects } = await import('dray/internal/pipeline/quarantine/damaged-objects.ts')
  const kept = await import('dray/internal/pipeline/quarantine/kept-rows.ts')
  const damaged = new DamagedObjects()
  return place === 'quarantine'
    ? { pipelines: kept.quarantinedPipelines, rows: kept.quarantinedRows, damaged }
    : { pipelines: kept.pipelinesWithFindings, rows: kept.rowsWithFindings, damaged }
}

export async function list(pipeline: string | undefined, options: ListOptions): Promise<void> {
  const kept = await keptIn('quarantine')
  const all = await summed(pipeline, kept, options)
  const found = options.all ? all : openOnly(all)
  const { notes } = kept.damaged
  if (options.json) return printJson('quarantine list', { quarantine: found.map(summaryDocument), notes })
  const closed = all.reduce((total, { rows, open }) => total + rows - open, 0)
  const pasted = (command: string) => commandFor(options, command)
  print(`${listText(found, { closed, isAll: options.all ?? false }, pasted)}${notesText(notes)}`)
}

function summed(
  pipeline: string | undefined,
  { pipelines, rows, damaged }: Kept & { readonly damaged: DamagedObjects },
  options: CommonOptions,
) {
  return withStores(options, async ({ staging }) => {
    const known = await pipelines(staging)
    const names = pipeline === undefined ? known : pipelinesOf(pipeline, known)
    // Rows of one that was renamed or removed are still there.
    if (pipeline !== undefined && !names.some((name) => known.includes(name))) await unitNamed(pipeline)
    return summaries(names.map((name) => rows(staging, name, { damaged })))
  })
}

export async function show(of: string, options: ShowOptions): Promise<void> {
  const kept = await keptIn('quarantine')
  const { printed, closed } = await printRows(of, kept, options)
  if (printed) return
  const again = commandFor(options, `dray quarantine show ${of} --all`)
  if (closed > 0)
    return printNone(`No row of ${of} is open; ${closed} are closed, which \`${again}\` shows.`, kept, options)
  if (await isKnown(of, options)) return printNone(`No row of ${of} is in the quarantine.`, kept, options)
  throw new ConfigurationError(
    `No row in the quarantine is of ${of}, which is no run, no pipeline and no id there; \`${commandFor(options, 'dray quarantine list')}\` shows what there is.${saidOf(kept.damaged)}`,
  )
}

/** Nothing to show is no fault, unless objects are damaged that may have had something. */
function printNone(sentence: string, { damaged }: { readonly damaged: DamagedObjects }, options: ShowOptions): void {
  if (damaged.notes.length > 0) throw new ConfigurationError(`${sentence}${saidOf(damaged)}`)
  if (options.json) rowPrinter(options).end(0, [])
  else print(`${sentence}\n`)
}

/** A pipeline of the project, or one of its runs. */
async function isKnown(name: string, options: ShowOptions): Promise<boolean> {
  const { workflows } = await loadProject()
  if (allUnitsOf(workflows).some((unit) => unit.name === unitOf(name))) return true
  return withStores(options, async ({ state }) => (await state.run(name)) !== null)
}

function saidOf({ notes }: DamagedObjects): string {
  return notes.map((note) => ` ${note}.`).join('')
}

export async function findings(of: string | undefined, options: ShowOptions): Promise<void> {
  const kept = await keptIn('findings')
  if (of === undefined) {
    const found = await summed(undefined, kept, options)
    const { notes } = kept.damaged
    if (options.json) return printJson('quarantine findings', { findings: found.map(findingsDocument), notes })
    print(`${findingsText(found, (command) => commandFor(options, command))}${notesText(notes)}`)
    return
  }
  if ((await printRows(of, kept, { ...options, all: true })).printed) return
  if (await isKnown(of, options)) return printNone(`No row of ${of} has a finding.`, kept, options)
  throw new ConfigurationError(
    `No row with a finding is of ${of}, which is no run, no pipeline and no id there; \`${commandFor(options, 'dray quarantine findings')}\` shows what there is.${saidOf(kept.damaged)}`,
  )
}

/** Prints rows as they are read; says whether there were any, and how many closed ones were left out. */
async function printRows(
  of: string,
  kept: Kept & { readonly damaged: DamagedObjects },
  options: ShowOptions,
): Promise<{ readonly printed: boolean; readonly closed: number }> {
  const printer = rowPrinter(options)
  const counted = await withStores(options, async ({ staging }) => {
    const names = await kept.pipelines(staging)
    const { damaged } = kept
    const its = pipelinesOf(of, names).filter((name) => names.includes(name))
    if (its.length > 0) {
      const ofThese = its.map((name) => kept.rows(staging, name, { damaged }))
      return printAll(printer, ofThese, { options })
    }
    const ofRun = names.map((name) => kept.rows(staging, name, { run: of, damaged }))
    const found = await printAll(printer, ofRun, { options })
    if (found.total + found.closed > 0) return found
    const all = names.map((name) => kept.rows(staging, name, { damaged }))
    return printAll(printer, all, { options, id: of })
  })
  if (counted.total > 0) printer.end(counted.total, kept.damaged.notes)
  return { printed: counted.total > 0, closed: counted.closed }
}

interface Asked {
  readonly options: ShowOptions
  /** Of one row, open or closed; all rows otherwise. */
  readonly id?: string
}

async function printAll(printer: RowPrinter, sources: readonly AsyncIterable<KeptRow>[], asked: Asked) {
  const sums = { total: 0, closed: 0 }
  for (const rows of sources) {
    const { total, closed } = await printEach(printer, rows, asked)
    sums.total += total
    sums.closed += closed
  }
  return sums
}

async function printEach(printer: RowPrinter, rows: AsyncIterable<KeptRow>, { options, id }: Asked) {
  const sums = { total: 0, closed: 0 }
  for await (const row of rows) {
    if (id !== undefined && row.id !== id) continue
    if (id === undefined && !options.all && row.record !== null) {
      sums.closed += 1
      continue
    }
    sums.total += 1
    if (printer.printed < options.limit) printer.row(row)
  }
  return sums
}
