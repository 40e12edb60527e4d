import { customerAt } from './customers.ts'
import { toInstant, toMicroseconds } from './instants.ts'
import { amount, loadableCustomer, type OrderSource, orderAt, orderSource } from './orders.ts'
import { customerPoisons, orderPoisons } from './poison.ts'
import { Random } from './random.ts'
import type { CustomerRow, OrderRow } from './rows.ts'

export interface DayOptions {
  readonly seed: number
  /** 1 for the first day after the first load. */
  readonly day: number
  /** The `count` and `asOf` that the tables were filled with. */
  readonly customers: number
  readonly orders: number
  readonly asOf: string
  /**
   * All changes are stamped within `[from, to)`: text in UTC, after what was loaded last and before what the source
   * calls settled.
   */
  readonly from: string
  readonly to: string
}

/** Rows are whole: an updated one replaces the row with its id. */
export interface DayOfChanges {
  readonly updatedOrders: readonly OrderRow[]
  readonly newOrders: readonly OrderRow[]
  readonly changedCustomers: readonly CustomerRow[]
  readonly newCustomers: readonly CustomerRow[]
}

const STREAM = 3
/** Of the rows of the first load, in thousandths. */
const UPDATED_ORDERS = 8
const NEW_ORDERS = 4
const CHANGED_CUSTOMERS = 10
const NEW_CUSTOMERS = 5

const NEXT_STATUSES = ['paid', 'shipped', 'delivered', 'cancelled', 'refunded'] as const

const share = (thousandths: number, count: number): number => Math.max(1, Math.floor((count * thousandths) / 1000))

/** So many different ids, none of them poisoned, in rising order. */
function chosenIds(random: Random, wanted: number, count: number, poisons: ReadonlyMap<number, unknown>): number[] {
  const chosen = new Set<number>()
  while (chosen.size < wanted) {
    const id = random.int(1, count)
    if (!poisons.has(id)) chosen.add(id)
  }
  return [...chosen].sort((a, b) => a - b)
}

class Day {
  readonly #options: DayOptions
  readonly #from: number
  readonly #span: number
  readonly #source: OrderSource

  constructor(options: DayOptions) {
    this.#options = options
    this.#from = toMicroseconds(options.from)
    this.#span = toMicroseconds(options.to) - this.#from
    if (this.#span <= 0)
      throw new RangeError(`A day of changes from ${options.from} to ${options.to} has no time in it.`)
    const { seed, customers, orders, asOf } = options
    this.#source = orderSource({ seed, customers, count: orders, asOf })
  }

  #stamp(random: Random): string {
    return toInstant(this.#from + Math.floor((random.int(0, 0x3fff_ffff) / 0x4000_0000) * this.#span))
  }

  #random(kind: number, id: number): Random {
    return new Random(this.#options.seed, STREAM, this.#options.day, kind, id)
  }

  updatedOrders(): OrderRow[] {
    const { orders } = this.#options
    const ids = chosenIds(this.#random(1, 0), share(UPDATED_ORDERS, orders), orders, orderPoisons(orders))
    return ids.map((id) => {
      const random = this.#random(1, id)
      const [, customer, orderDate, total] = orderAt(this.#source, id)
      const newTotal = random.once(3) ? amount(random) : total
      return [String(id), customer, orderDate, newTotal, random.pick(NEXT_STATUSES), this.#stamp(random)]
    })
  }

  newOrders(): OrderRow[] {
    const { orders, customers, day } = this.#options
    const perDay = share(NEW_ORDERS, orders)
    return Array.from({ length: perDay }, (_, i) => {
      const id = orders + (day - 1) * perDay + i + 1
      const random = this.#random(2, id)
      const customer = loadableCustomer(random, this.#source.poisonedCustomers, customers)
      const updated = this.#stamp(random)
      return [String(id), customer, updated.slice(0, 19), amount(random), 'pending', updated]
    })
  }

  changedCustomers(): CustomerRow[] {
    const { seed, customers: count, asOf, day } = this.#options
    const ids = chosenIds(this.#random(3, 0), share(CHANGED_CUSTOMERS, count), count, this.#repeatedIds())
    return ids.map((id) => customerAt({ seed, count, asOf }, id, day).row)
  }

  /** Poisoned ids, and those that a second row repeats: they cannot be updated by id. */
  #repeatedIds(): ReadonlyMap<number, unknown> {
    const poisons = customerPoisons(this.#options.customers)
    return new Map([...poisons, ...[...poisons].map(([id, poison]) => [id - 2, poison] as const)])
  }

  newCustomers(): CustomerRow[] {
    const { seed, customers: count, asOf, day } = this.#options
    const perDay = share(NEW_CUSTOMERS, count)
    return Array.from(
      { length: perDay },
      (_, i) => customerAt({ seed, count, asOf }, count + (day - 1) * perDay + i + 1).row,
    )
  }
}

/**
 * What a day brings to the source: orders that move on, new orders, customers that moved, new customers; none is
 * poisoned.
 */
export function dayOfChanges(options: DayOptions): DayOfChanges {
  const day = new Day(options)
  return {
    updatedOrders: day.updatedOrders(),
    newOrders: day.newOrders(),
    changedCustomers: day.changedCustomers(),
    newCustomers: day.newCustomers(),
  }
}
