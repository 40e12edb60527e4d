import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type CustomerOptions, customers } from './customers.ts'
import type { CustomerRow } from './rows.ts'

/** Without constraints, as an old CRM has it: the poison among the rows needs that. */
const table = 'customers (id INTEGER, name TEXT, email TEXT, phone TEXT, address TEXT, created_at TEXT)'

export function crmIsEmpty(home: string): boolean {
  return inCrm(home, (database) => {
    const exists = database
      .prepare("select 1 from sqlite_master where type in ('table', 'view') and name = 'customers'")
      .get()
    return !exists || !database.prepare('select 1 from customers limit 1').get()
  })
}

export function fillCustomers(home: string, options: CustomerOptions): void {
  inCrm(home, (database) => {
    database.exec(`create table if not exists ${table}`)
    database.exec('create index if not exists customers_by_id on customers (id)')
    insert(database, customers(options))
  })
}

/** Replaces the rows of these ids. */
export function applyCustomers(home: string, rows: readonly CustomerRow[]): void {
  inCrm(home, (database) => {
    const remove = database.prepare('delete from customers where id = ?')
    for (const [id] of rows) remove.run(id)
    insert(database, rows)
  })
}

function insert(database: DatabaseSync, rows: Iterable<CustomerRow>): void {
  const statement = database.prepare('insert into customers values (?, ?, ?, ?, ?, ?)')
  for (const row of rows) statement.run(...row)
}

/** All of `work` or nothing. */
function inCrm<T>(home: string, work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(home, 'crm.db'))
  try {
    database.exec('begin immediate')
    const result = work(database)
    database.exec('commit')
    return result
  } finally {
    database.close()
  }
}
