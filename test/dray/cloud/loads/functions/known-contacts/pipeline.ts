import { changedSince, pipeline, upsert } from 'dray'
import { SourceContact } from '#models/crm.ts'
import { KnownContact } from '#models/mart.ts'

/** Known keys only, of some rows and columns. */
export const knownContacts = pipeline('known-contacts', {
  extract: changedSince(SourceContact, { cursor: 'updatedAt', where: { status: 'active' }, columns: ['id', 'name'] }),
  transform: ({ id, name }) => ({ id, name }),
  load: upsert(KnownContact, { by: 'id', insert: false }),
})
