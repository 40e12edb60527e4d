import type { RunReference } from '#dray/messages/stages.ts'
import { lineageRunId } from './lineage-run-id.ts'

/** Of package.json; a test holds it so. */
export const DRAY_VERSION = '0.1.0'

const PRODUCER = `urn:dray:${DRAY_VERSION}`
const SPEC = 'https://openlineage.io/spec'

export type EventType = 'START' | 'COMPLETE' | 'FAIL' | 'ABORT'

export interface Facet {
  readonly _producer: string
  readonly _schemaURL: string
  readonly [field: string]: unknown
}

/** A table as OpenLineage names it: https://openlineage.io/docs/spec/naming */
export interface LineageDataset {
  readonly namespace: string
  readonly name: string
  readonly facets: Readonly<Record<string, Facet>>
  readonly outputFacets?: Readonly<Record<string, Facet>>
}

/** An event of OpenLineage 2-0-2: https://openlineage.io/spec/2-0-2/OpenLineage.json */
export interface RunEvent {
  readonly eventType: EventType
  /** ISO 8601. */
  readonly eventTime: string
  readonly producer: string
  readonly schemaURL: string
  readonly run: { readonly runId: string; readonly facets: Readonly<Record<string, Facet>> }
  readonly job: {
    readonly namespace: string
    readonly name: string
    readonly facets: Readonly<Record<string, Facet>>
  }
  readonly inputs: readonly LineageDataset[]
  readonly outputs: readonly LineageDataset[]
}

/** What an event is about. */
export interface EventSubject {
  /** Of all jobs of an environment. */
  readonly namespace: string
  readonly run: RunReference
  /** Null for the workflow itself. */
  readonly step: string | null
}

export interface EventDetails {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly inputs?: readonly LineageDataset[]
  readonly outputs?: readonly LineageDataset[]
  /** Why it failed or was ended. */
  readonly error?: string | null
}

export function facet(name: string, version: string, fields: Readonly<Record<string, unknown>>): Facet {
  return { _producer: PRODUCER, _schemaURL: `${SPEC}/facets/${version}/${name}.json#/$defs/${name}`, ...fields }
}

/** An event about a run of a workflow, or of a step with the workflow as its parent. Told again it has the same ids. */
export function runEvent(type: EventType, subject: EventSubject, details: EventDetails): RunEvent {
  const { namespace, run, step } = subject
  const name = step === null ? run.workflow : `${run.workflow}.${step}`
  return {
    eventType: type,
    eventTime: new Date(details.at).toISOString(),
    producer: PRODUCER,
    schemaURL: `${SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent`,
    run: { runId: lineageRunId(namespace, run.id, step), facets: runFacets(subject, details.error ?? null) },
    job: {
      namespace,
      name,
      facets: {
        jobType: facet('JobTypeJobFacet', '2-0-3', {
          processingType: 'BATCH',
          integration: 'DRAY',
          jobType: step === null ? 'WORKFLOW' : 'STEP',
        }),
      },
    },
    inputs: details.inputs ?? [],
    outputs: details.outputs ?? [],
  }
}

function runFacets({ namespace, run, step }: EventSubject, error: string | null): Record<string, Facet> {
  return {
    nominalTime: facet('NominalTimeRunFacet', '1-0-1', {
      nominalStartTime: new Date(run.started_at).toISOString(),
    }),
    processing_engine: facet('ProcessingEngineRunFacet', '1-1-1', { version: DRAY_VERSION, name: 'dray' }),
    ...(step === null
      ? {}
      : {
          parent: facet('ParentRunFacet', '1-0-1', {
            run: { runId: lineageRunId(namespace, run.id, null) },
            job: { namespace, name: run.workflow },
          }),
        }),
    ...(error === null
      ? {}
      : {
          errorMessage: facet('ErrorMessageRunFacet', '1-0-1', { message: error, programmingLanguage: 'TypeScript' }),
        }),
  }
}
