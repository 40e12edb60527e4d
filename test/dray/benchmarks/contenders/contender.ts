/** A row of the benchmark's table, as a program would have it. Text for what JavaScript's numbers cannot hold. */
export interface OrderRow {
  orderId: number
  customerId: number
  orderDate: string
  amount: string
  status: string
  note: string | null
  lastUpdated: string
}

export type Engine = 'postgres' | 'mysql'

/** One library, with its connection open. */
export interface Contender {
  /** Reads the table `orders` whole, as the library's records; says how many. */
  read(): Promise<number>
  /** Reads it and sums something of every field of every record. */
  readFields?(): Promise<number>
  /** What is not timed: makes of the rows what `upsert` takes. */
  prepare?(rows: readonly OrderRow[]): void
  /** Writes the rows into `orders_target` by the library's documented bulk way. */
  upsert(rows: readonly OrderRow[]): Promise<void>
  /** Finds each row and inserts or updates it. */
  findAndSave?(rows: readonly OrderRow[]): Promise<void>
  close(): Promise<void>
}

const STATUSES = ['pending', 'paid', 'shipped', 'returned', 'cancelled']
const pad = (value: number) => String(value).padStart(2, '0')

/** Row `index`, from 0; of a later edition 95 % of the rows differ. */
export function orderRow(index: number, edition: number): OrderRow {
  const changed = edition > 0 && index % 20 !== 0 ? edition : 0
  const day = `20${pad(10 + (index % 15))}-${pad(1 + (index % 12))}-${pad(1 + (index % 28))}`
  return {
    orderId: index + 1,
    customerId: 1 + ((index * 7919) % 100_003),
    orderDate: day,
    amount: `${10 + (index % 5_000) + changed}.${pad(index % 100)}`,
    status: STATUSES[(index + changed) % STATUSES.length] as string,
    note: index % 10 === 0 ? null : `delivered to the door of customer ${index % 9_973}, then paid`,
    lastUpdated: `${day} ${pad(index % 24)}:${pad(index % 60)}:${pad((index * 7) % 60)}.${String(100_001 + (index % 800_000))}`,
  }
}

export function orderRows(count: number, edition: number): OrderRow[] {
  return Array.from({ length: count }, (_, index) => orderRow(index, edition))
}

/** Rows of one statement, as the libraries' guides have it: 1,000 to 5,000. */
export const CHUNK_ROWS = 2_000

export function* chunksOf<T>(rows: readonly T[], size: number = CHUNK_ROWS): Generator<T[]> {
  for (let start = 0; start < rows.length; start += size) yield rows.slice(start, start + size)
}
