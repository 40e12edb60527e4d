import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { parse } from 'csv-parse/sync'
import { sharedData } from '#test/shared-data.ts'

/** A customer of the Chinook shop: the joined address as its CSV has it, and the columns it was joined from. */
export interface ChinookCustomer {
  readonly name: string
  readonly email: string
  readonly phone: string
  readonly createdAt: string
  readonly raw: string
  readonly line: string
  readonly city: string
  readonly state: string | null
  readonly postalCode: string | null
  readonly country: string
}

/** The 59 customers, from `customers.csv` and from the columns of the SQLite database. */
export function chinookCustomers(): readonly ChinookCustomer[] {
  const rows: Record<string, string>[] = parse(readFileSync(sharedData('chinook/customers.csv')), { columns: true })
  const database = new DatabaseSync(sharedData('chinook/sqlite.db'), { readOnly: true })
  const columns = database.prepare('SELECT CustomerId, Address, City, State, PostalCode, Country FROM Customer').all()
  database.close()
  const byId = new Map(columns.map((customer) => [String(customer.CustomerId), customer as Record<string, string>]))
  return rows.map((row) => {
    const { Address = '', City = '', State, PostalCode, Country = '' } = byId.get(row.id ?? '') ?? {}
    return {
      name: row.name ?? '',
      email: row.email ?? '',
      phone: row.phone ?? '',
      createdAt: row.created_at ?? '',
      raw: row.address ?? '',
      line: Address,
      city: City.trim(),
      state: State ?? null,
      postalCode: PostalCode ?? null,
      country: Country,
    }
  })
}
