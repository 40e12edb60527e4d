import { changedSince, copyFields, pipeline, upsert } from 'dray'
import { SourceReading } from '#models/crm.ts'
import { Reading } from '#models/lake.ts'

/** With rows that come with an old stamp. */
export const readings = pipeline('readings', {
  extract: changedSince(SourceReading, { cursor: 'measuredAt', lateRows: 'byKey' }),
  transform: copyFields(SourceReading, { id: 'id', value: 'value', measuredAt: 'measuredAt' }),
  load: upsert(Reading, { by: 'id' }),
})
