import { append, changedSince, copyFields, counter, pipeline } from 'dray'
import { Event } from '#models/mart.ts'
import { SourceEvent } from '#models/shop.ts'

/** By a number that the source draws. */
export const events = pipeline('events', {
  extract: changedSince(SourceEvent, { cursor: counter('id') }),
  transform: copyFields(SourceEvent, { id: 'id', label: 'label' }),
  load: append(Event),
})
