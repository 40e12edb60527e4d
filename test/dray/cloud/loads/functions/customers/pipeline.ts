import { changedSince, pipeline, sql, type Timestamp, upsert } from 'dray'
import { SourceCustomer } from '#models/crm.ts'
import { Customer } from '#models/mart.ts'

const { updatedAt, seenAt } = SourceCustomer.fields

/** Rows that a field says to be deleted, by a cursor of SQL, with columns that come later. */
export const customers = pipeline('customers', {
  extract: changedSince(SourceCustomer, { cursor: sql<Timestamp>`greatest(${updatedAt}, ${seenAt})` }),
  transform: ({ id, name }) => ({ id, name }),
  load: upsert(Customer, { by: 'id' }),
  deletes: { flag: 'deletedAt' },
  columns: 'follow',
})
