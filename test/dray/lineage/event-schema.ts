import * as z from 'zod'

/*
 * What OpenLineage 2-0-2 and its facets ask for, written from https://openlineage.io/spec/2-0-2/OpenLineage.json and
 * the schemas that each facet names, for the fields that Dray sends. Stricter than those: whatever is not listed here
 * is refused. No package of npm has the schemas.
 */

const instant = z.iso.datetime({ precision: 3 })
const uri = z.string().regex(/^[a-z][a-z0-9+.-]*:\S+$/i)

const facetOf = <Shape extends z.ZodRawShape>(name: string, version: string, shape: Shape) =>
  z.strictObject({
    _producer: uri,
    _schemaURL: z.literal(`https://openlineage.io/spec/facets/${version}/${name}.json#/$defs/${name}`),
    ...shape,
  })

const job = { namespace: z.string().min(1), name: z.string().min(1) }

const dataset = z.strictObject({
  namespace: uri,
  name: z.string().min(1),
  facets: z.strictObject({
    schema: facetOf('SchemaDatasetFacet', '1-1-1', {
      fields: z.array(z.strictObject({ name: z.string().min(1), type: z.string().min(1) })).min(1),
    }),
    dataSource: facetOf('DatasourceDatasetFacet', '1-0-1', { name: z.string().min(1), uri }),
  }),
})

export const lineageEvent = z.strictObject({
  eventType: z.enum(['START', 'COMPLETE', 'FAIL', 'ABORT']),
  eventTime: instant,
  producer: uri,
  schemaURL: z.literal('https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent'),
  run: z.strictObject({
    runId: z.uuid(),
    facets: z.strictObject({
      nominalTime: facetOf('NominalTimeRunFacet', '1-0-1', { nominalStartTime: instant }),
      processing_engine: facetOf('ProcessingEngineRunFacet', '1-1-1', {
        version: z.string().min(1),
        name: z.literal('dray'),
      }),
      parent: facetOf('ParentRunFacet', '1-0-1', {
        run: z.strictObject({ runId: z.uuid() }),
        job: z.strictObject(job),
      }).optional(),
      errorMessage: facetOf('ErrorMessageRunFacet', '1-0-1', {
        message: z.string().min(1),
        programmingLanguage: z.string().min(1),
      }).optional(),
    }),
  }),
  job: z.strictObject({
    ...job,
    facets: z.strictObject({
      jobType: facetOf('JobTypeJobFacet', '2-0-3', {
        processingType: z.literal('BATCH'),
        integration: z.literal('DRAY'),
        jobType: z.enum(['WORKFLOW', 'STEP']),
      }),
    }),
  }),
  inputs: z.array(dataset),
  outputs: z.array(
    dataset.extend({
      outputFacets: z
        .strictObject({
          outputStatistics: facetOf('OutputStatisticsOutputDatasetFacet', '1-0-2', { rowCount: z.int().nonnegative() }),
        })
        .optional(),
    }),
  ),
})

export type LineageEvent = z.infer<typeof lineageEvent>
