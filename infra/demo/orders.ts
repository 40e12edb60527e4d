import { daysBefore, toInstant, toMicroseconds, toSeconds } from './instants.ts'
import { customerPoisons, orderPoisons } from './poison.ts'
import { Random } from './random.ts'
import type { OrderRow } from './rows.ts'

export interface OrderOptions {
  readonly seed: number
  /** Rows of `customers`; orders are of those that can be loaded. */
  readonly customers: number
  /** Rows, the poisoned ones included; at least 100. */
  readonly count: number
  /** Text in UTC, `2026-11-23 07:00:00`; no row was updated in the hour before. */
  readonly asOf: string
}

export interface OrderSummary {
  readonly rows: number
  readonly withoutCustomer: number
  readonly withoutAmount: number
  readonly overlongStatus: number
}

const STREAM = 2
const DAYS = 900
const HOUR = 3_600_000_000
const STATUSES = [
  'delivered',
  'delivered',
  'delivered',
  'delivered',
  'shipped',
  'paid',
  'pending',
  'cancelled',
  'refunded',
] as const
/** One order in as many was touched by a nightly job, which gives them all the same last_updated. */
const ONE_IN_NIGHTLY_JOB = 150

/** `0.99` to `999.99`, most of them small. */
export function amount(random: Random): string {
  const cents = random.once(20) ? random.int(10_000, 99_999) : random.int(99, 9999)
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
}

/** The id of a customer that is not poisoned. */
export function loadableCustomer(random: Random, poisons: ReadonlyMap<number, unknown>, customers: number): string {
  const id = random.int(1, customers)
  return String(poisons.has(id) ? id - 1 : id)
}

export interface OrderSource {
  readonly options: OrderOptions
  /** In microseconds. */
  readonly asOf: number
  readonly poisonedCustomers: ReadonlyMap<number, unknown>
}

export function orderSource(options: OrderOptions): OrderSource {
  return { options, asOf: toMicroseconds(options.asOf), poisonedCustomers: customerPoisons(options.customers) }
}

/** The order with this id as it is before any day of changes; ids rise with the order date. */
export function orderAt({ options, asOf, poisonedCustomers }: OrderSource, id: number): OrderRow {
  const random = new Random(options.seed, STREAM, id)
  const newest = daysBefore(asOf, 1)
  const ordered = Math.floor(newest - ((options.count - id) / options.count) * DAYS * 24 * HOUR)
  const touched = ordered + random.int(1, 20 * 3600) * 1_000_000 + random.int(0, 999_999)
  const nightly = random.once(ONE_IN_NIGHTLY_JOB)
  const updated = nightly ? daysBefore(asOf, 1) + 2 * HOUR : touched
  const customer = loadableCustomer(random, poisonedCustomers, options.customers)
  return [String(id), customer, toSeconds(ordered), amount(random), random.pick(STATUSES), toInstant(updated)]
}

/** Rows of the source table `orders`; the same options give the same rows. */
export function* orders(options: OrderOptions): Generator<OrderRow> {
  const source = orderSource(options)
  const poisons = orderPoisons(options.count)
  for (let id = 1; id <= options.count; id++) {
    const row = orderAt(source, id)
    yield poisons.get(id)?.spoil(row) ?? row
  }
}

/** What a load of `orders(options)` has to find, counted. */
export function summarizeOrders(options: OrderOptions): OrderSummary {
  const summary = { rows: options.count, withoutCustomer: 0, withoutAmount: 0, overlongStatus: 0 }
  for (const { kind } of orderPoisons(options.count).values()) summary[kind]++
  return summary
}
