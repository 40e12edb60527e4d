import type { CustomerRow, OrderRow } from './rows.ts'

/** A row that cannot be loaded, at a known place. */
export interface CustomerPoison {
  readonly kind: 'withoutId' | 'withoutName' | 'duplicateIds'
  readonly spoil: (row: CustomerRow) => CustomerRow
}

export interface OrderPoison {
  readonly kind: 'withoutCustomer' | 'withoutAmount' | 'overlongStatus'
  readonly spoil: (row: OrderRow) => OrderRow
}

const FEWEST = 100

function withId(kind: CustomerPoison['kind'], id: (own: string | null) => string | null): CustomerPoison {
  return { kind, spoil: ([own, ...others]) => [id(own), ...others] }
}

function withName(name: string | null): CustomerPoison {
  return { kind: 'withoutName', spoil: ([id, , ...others]) => [id, name, ...others] }
}

/** The id of the row two before, which is never poisoned itself. */
const earlierId = (own: string | null): string => String(Number(own) - 2)

const CUSTOMER_POISONS: readonly CustomerPoison[] = [
  withId('withoutId', () => ''),
  withName(null),
  withId('duplicateIds', earlierId),
  withName(''),
  withId('withoutId', () => null),
  withName(' \t\u00a0 '),
  withId('duplicateIds', earlierId),
  withName('\u200b\ufeff'),
  withId('withoutId', () => 'n/a'),
]

const withoutCustomer: OrderPoison = {
  kind: 'withoutCustomer',
  spoil: ([id, , ...others]) => [id, null, ...others],
}
const withoutAmount: OrderPoison = {
  kind: 'withoutAmount',
  spoil: ([id, customer, date, , ...others]) => [id, customer, date, null, ...others],
}
const overlongStatus: OrderPoison = {
  kind: 'overlongStatus',
  spoil: ([id, customer, date, amount, , updated]) => [
    id,
    customer,
    date,
    amount,
    'paid by instalments; '.repeat(15),
    updated,
  ],
}

const ORDER_POISONS: readonly OrderPoison[] = [
  withoutCustomer,
  withoutAmount,
  overlongStatus,
  withoutCustomer,
  withoutAmount,
]

/** Spread evenly over the ids, so that several batches and partitions meet one. */
function spread<T>(poisons: readonly T[], count: number): Map<number, T> {
  if (count < FEWEST) throw new RangeError(`The demo data needs at least ${FEWEST} rows of a table, not ${count}.`)
  const step = Math.floor(count / (poisons.length + 1))
  return new Map(poisons.map((poison, i) => [(i + 1) * step, poison]))
}

/** By the id that the row would have. */
export function customerPoisons(count: number): ReadonlyMap<number, CustomerPoison> {
  return spread(CUSTOMER_POISONS, count)
}

/** By the id of the order. */
export function orderPoisons(count: number): ReadonlyMap<number, OrderPoison> {
  return spread(ORDER_POISONS, count)
}
