import type { Command } from 'commander'
import { ConfigurationError } from '#shared/active-record/errors.ts'
import type { PipelineState, StateStore } from '#shared/state/state-store.ts'
import { moment } from './format.ts'
import { type Column, textTable } from './text-table.ts'
import { type CommonOptions, printJson, requireLocal, type Verbs, withCommonOptions } from './verb.ts'
import { withState } from './with-state.ts'

export function addState(program: Command, _verbs: Verbs): void {
  const verb = program.command('state').description('what each pipeline has landed')
  withCommonOptions(verb.command('show', { isDefault: true }))
    .description('last_run and lease of a pipeline, or of all')
    .argument('[pipeline]')
    .action((pipeline: string | undefined, _options, command: Command) => show(pipeline, command.optsWithGlobals()))
}

async function show(pipeline: string | undefined, options: CommonOptions): Promise<void> {
  requireLocal(options)
  const states = await withState((state) => (pipeline === undefined ? state.pipelines() : one(state, pipeline)))
  if (options.json) return printJson({ pipelines: states.map(stateDocument) })
  if (states.length === 0) process.stdout.write('No pipeline has run yet; start with `dray run <workflow>`.\n')
  else process.stdout.write(`${textTable(columns, states)}\n`)
}

const columns: Column<PipelineState>[] = [
  { title: 'pipeline', value: (state) => state.pipeline },
  { title: 'last_run', value: (state) => state.lastRun ?? '-' },
  { title: 'version', align: 'right', value: (state) => String(state.version) },
  { title: 'epoch', align: 'right', value: (state) => String(state.epoch) },
  { title: 'lease', value: leaseText },
]

function leaseText({ leaseOwner, leaseExpiresAt, pending }: PipelineState): string {
  const expiry = leaseExpiresAt === null ? '' : ` until ${moment(leaseExpiresAt)} UTC`
  return `${leaseOwner === null ? 'free' : `${leaseOwner}${expiry}`}${pending ? ', another run waits' : ''}`
}

async function one(state: StateStore, pipeline: string): Promise<PipelineState[]> {
  const found = await state.pipeline(pipeline)
  if (found) return [found]
  const names = (await state.pipelines()).map((known) => known.pipeline)
  throw new ConfigurationError(
    `The pipeline ${pipeline} has no state: it has never run, or there is none of that name; state is kept of ${names.join(', ') || 'none yet'}.`,
  )
}

function stateDocument(state: PipelineState) {
  return {
    pipeline: state.pipeline,
    last_run: state.lastRun,
    version: state.version,
    epoch: state.epoch,
    lease_owner: state.leaseOwner,
    lease_expires_at: state.leaseExpiresAt === null ? null : new Date(state.leaseExpiresAt).toISOString(),
    pending: state.pending,
  }
}
