import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DemoContext } from 'dray-infra'
import { orders as ordersPipeline } from '#functions/orders/pipeline.ts'
import { applyCustomers, crmIsEmpty, fillCustomers } from './crm.ts'
import { dayOfChanges } from './day-of-changes.ts'
import { applyOrders, fillOrders, salesIsEmpty, settledUntil } from './sales.ts'

/** What the demo databases hold; kept beside them. */
interface DemoRecord {
  readonly seed: number
  readonly customers: number
  readonly orders: number
  /** Text in UTC: when the databases were filled. */
  readonly asOf: string
  /** Days of changes that were applied. */
  readonly day: number
  /** The databases that are the demo's; another one was filled by somebody else. */
  readonly databases: readonly string[]
}

const first = { seed: 20, customers: 20_000, orders: 200_000, day: 0 } as const

/**
 * Fills `crm` and `sales` where they are embedded and empty. Where that was done before, applies the next day of
 * changes. Each database is filled in one transaction, so that an interrupted fill is begun again.
 */
export async function prepareDemo(options: DemoContext): Promise<void> {
  const { home, note } = options
  const known = readRecord(home)
  if (known === null) {
    const empty = await emptyDatabases(options)
    if (empty.length === 0) return note('The source databases hold data already, so no demo data is added.')
    const record = { ...first, asOf: new Date().toISOString().slice(0, 19).replace('T', ' '), databases: empty }
    writeRecord(home, record)
    return fill(record, empty, options)
  }
  const usable = known.databases.filter((name) => options.embedded.has(name))
  const empty = (await emptyDatabases(options)).filter((name) => usable.includes(name))
  if (empty.length > 0) return fill(known, empty, options)
  if (usable.length > 0) await applyDay({ ...known, day: known.day + 1 }, usable, options)
}

async function emptyDatabases({ embedded, home }: DemoContext): Promise<string[]> {
  const empty: string[] = []
  if (embedded.has('crm') && crmIsEmpty(home)) empty.push('crm')
  if (embedded.has('sales') && (await salesIsEmpty())) empty.push('sales')
  return empty
}

async function fill(record: DemoRecord, empty: readonly string[], options: DemoContext): Promise<void> {
  const { home, note, signal } = options
  const { seed, asOf } = record
  if (empty.includes('crm')) {
    note(`Demo: filling crm.customers with ${count(record.customers)} rows.`)
    fillCustomers(home, { seed, asOf, count: record.customers })
  }
  signal.throwIfAborted()
  if (empty.includes('sales')) {
    note(`Demo: filling sales.orders with ${count(record.orders)} rows.`)
    await fillOrders({ seed, asOf, customers: record.customers, count: record.orders }, signal)
  }
}

async function applyDay(record: DemoRecord, usable: readonly string[], options: DemoContext): Promise<void> {
  const { home, note, signal } = options
  const { seed, customers, orders, asOf, day } = record
  // Changes are stamped after `last_run`, so that the next run reads them.
  const from = (await options.lastRun(ordersPipeline.name)) ?? asOf
  const to = usable.includes('sales')
    ? await settledUntil(ordersPipeline.extract.cursor?.lagSeconds ?? 0)
    : `${new Date().toISOString().slice(0, 19).replace('T', ' ')}`
  if (Date.parse(`${to}Z`) <= Date.parse(`${from}Z`)) {
    return note('Demo: the last run is too recent for changes after it; run again in a few seconds to see some.')
  }
  const changes = dayOfChanges({ seed, day, customers, orders, asOf, from, to })
  signal.throwIfAborted()
  if (usable.includes('crm')) applyCustomers(home, [...changes.changedCustomers, ...changes.newCustomers])
  if (usable.includes('sales')) await applyOrders([...changes.updatedOrders, ...changes.newOrders])
  writeRecord(home, record)
  note(
    `Demo: day ${day} changed ${count(changes.updatedOrders.length)} orders and ${count(changes.changedCustomers.length)} customers, ` +
      `and brought ${count(changes.newOrders.length)} new orders and ${count(changes.newCustomers.length)} new customers.`,
  )
}

const recordFile = (home: string): string => join(home, 'demo.json')

function readRecord(home: string): DemoRecord | null {
  const file = recordFile(home)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as DemoRecord) : null
}

function writeRecord(home: string, record: DemoRecord): void {
  const file = recordFile(home)
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`)
  renameSync(`${file}.new`, file)
}

const count = (value: number): string => value.toLocaleString('en-US')
