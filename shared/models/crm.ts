import { bigint, database, text } from 'dray'

export const crm = database('crm')

/** Addresses are free text: `Mannerheimintie 1, Helsinki, 00100`; so are dates, in several formats. */
export class SourceCustomer extends crm.source('customers', {
  id: bigint().primaryKey(),
  name: text().nullable(),
  email: text().nullable(),
  phone: text().nullable(),
  address: text().nullable(),
  createdAt: text().nullable(),
}) {}
