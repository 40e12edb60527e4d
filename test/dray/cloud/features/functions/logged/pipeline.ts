import { append, changedSince, copyFields, pipeline } from 'dray'
import { LoggedItem } from '#models/lake.ts'
import { SourceItem } from '#models/shop.ts'

/** Only added to, by batches that one request does not hold. */
export const logged = pipeline('logged', {
  extract: changedSince(SourceItem, { cursor: 'changedAt', zone: 'UTC' }),
  transform: copyFields(SourceItem, { id: 'id', note: 'note' }),
  load: append(LoggedItem),
})
