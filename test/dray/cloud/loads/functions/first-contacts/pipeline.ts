import { copyFields, fullLoad, pipeline, upsert } from 'dray'
import { SourceContact } from '#models/crm.ts'
import { FirstContact } from '#models/lake.ts'

/** New keys only. */
export const firstContacts = pipeline('first-contacts', {
  extract: fullLoad(SourceContact),
  transform: copyFields(SourceContact, { id: 'id', name: 'name' }),
  load: upsert(FirstContact, { by: 'id', update: 'never' }),
})
