import { copyFields, fullLoad, pipeline, upsert } from 'dray'
import { Reading } from '#models/lake.ts'
import { SourceReading } from '#models/shop.ts'

/** More partitions than one execution takes: they are distributed. */
export const readings = pipeline('readings', {
  extract: fullLoad(SourceReading, { partitionRows: 1 }),
  transform: copyFields(SourceReading, { id: 'id' }),
  load: upsert(Reading, { by: 'id' }),
})
