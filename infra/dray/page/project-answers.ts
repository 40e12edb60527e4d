import { closeDatabases } from 'dray/internal/active-record/database.ts'
import type { SourceRecord } from 'dray/internal/active-record/record.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { mappingOf } from 'dray/internal/pipeline/declare/copy-fields.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { examinePipeline } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { localStores } from '#dray-infra/runs/local-stores.ts'
import { localRunner } from '#dray-infra/runs/run-lock.ts'
import { besideTarget } from './beside.ts'
import { catalogueOf } from './catalogue.ts'
import type { BesideDocument, CatalogueDocument, CheckedDocument, PreviewDocument } from './documents.ts'

type Row = readonly (readonly [column: string, value: string | null])[]

/** What is asked of the user's files, as they were when the thread first looked. */
export type Question =
  | { readonly kind: 'catalogue' }
  | { readonly kind: 'preview'; readonly pipeline: string; readonly limit: number }
  | { readonly kind: 'examine'; readonly pipeline: string }
  | { readonly kind: 'beside'; readonly pipeline: string; readonly row: Row }

export interface Answers {
  readonly catalogue: CatalogueDocument
  readonly preview: PreviewDocument
  readonly examine: readonly CheckedDocument[]
  readonly beside: BesideDocument
}

export async function answer(question: Question): Promise<Answers[Question['kind']]> {
  if (question.kind === 'catalogue') return catalogueOf(await loadProject())
  const pipeline = await (await loadProject()).findPipeline(question.pipeline)
  try {
    switch (question.kind) {
      case 'preview':
        return await previewOf(pipeline, question.limit)
      case 'examine':
        return await withServices((services) =>
          examinePipeline(pipeline, { isConnected: () => true, services, makesTargets: true }),
        )
      case 'beside':
        return await besideTarget(pipeline, question.row, timestampOf(new Date().toISOString()))
    }
  } finally {
    await closeDatabases()
  }
}

async function withServices<T>(work: (services: Services) => Promise<T>): Promise<T> {
  const { state, staging } = await localStores()
  try {
    return await work({
      state,
      staging,
      signal: AbortSignal.timeout(PATIENCE_MS),
      now: Date.now,
      log: { info() {}, warn() {} },
      progress() {},
      runner: localRunner(),
    })
  } finally {
    state.close()
  }
}

const PATIENCE_MS = 30_000

/** Source rows beside what the transform makes of them, and the fields that it was seen to read and to write. */
async function previewOf(pipeline: Pipeline, limit: number): Promise<PreviewDocument> {
  const seen = { reads: new Set<string>(), writes: new Set<string>() }
  const recorded = recording(pipeline, seen)
  const { rows, notes } = await withServices(async (services) => {
    const known = await services.state.pipeline(pipeline.name)
    return preview(recorded, { limit, lastRun: known?.lastRun ?? null, seen: known?.source ?? null }, services)
  })
  const pairs = (row: Readonly<Record<string, string | null>> | null) => (row === null ? null : Object.entries(row))
  return {
    rows: rows.map((row) => ({ ...row, source: Object.entries(row.source), target: pairs(row.target) })),
    notes,
    reads: [...seen.reads],
    writes: [...seen.writes],
  }
}

interface Seen {
  readonly reads: Set<string>
  readonly writes: Set<string>
}

/** The same pipeline, whose transform is watched; one that only copies fields says itself what it reads. */
function recording(pipeline: Pipeline, { reads, writes }: Seen): Pipeline {
  const mapping = mappingOf(pipeline.transform)
  if (mapping !== null) {
    for (const [to, from] of Object.entries(mapping)) {
      reads.add(from)
      writes.add(to)
    }
    return pipeline
  }
  const { byName } = pipeline.extract.source.definition
  const watched = (row: SourceRecord) =>
    new Proxy(row, {
      get(target, name) {
        if (typeof name === 'string' && byName.has(name)) reads.add(name)
        return Reflect.get(target, name, target)
      },
    })
  return {
    ...pipeline,
    transform: (row, context) => {
      const made = pipeline.transform(watched(row), context)
      for (const name of Object.keys(made ?? {})) writes.add(name)
      return made
    },
  }
}
