import { type Contender, type Engine, type OrderRow, orderRows } from './contender.ts'

/** What a contender's process is asked to do. */
export interface Order {
  readonly work: 'read' | 'readFields' | 'upsert' | 'findAndSave'
  readonly rows: number
  /** Of the rows that are written. */
  readonly edition: number
}

export interface Answer {
  readonly milliseconds: number
  readonly rssMegabytes: number
  readonly error?: string
}

/** Serves a contender to the process that started this one, until it disconnects. */
export async function serve(open: (engine: Engine, url: string) => Promise<Contender>): Promise<void> {
  const [engine = '', url = ''] = process.argv.slice(-2)
  const contender = await open(engine as Engine, url)
  let prepared: { key: string; rows: OrderRow[] } = { key: '', rows: [] }
  const rowsOf = ({ rows, edition }: Order) => {
    const key = `${rows} ${edition}`
    if (prepared.key !== key) prepared = { key, rows: orderRows(rows, edition) }
    return prepared.rows
  }
  process.on('message', (order: Order) => {
    void timed(contender, order, rowsOf)
      .catch((error: unknown) => ({ milliseconds: 0, rssMegabytes: 0, error: String((error as Error).stack ?? error) }))
      .then((answer: Answer) => process.send?.(answer))
  })
  process.on('disconnect', () => void contender.close().finally(() => process.exit()))
  process.send?.('ready')
}

async function timed(contender: Contender, order: Order, rowsOf: (order: Order) => OrderRow[]): Promise<Answer> {
  const isWrite = order.work === 'upsert' || order.work === 'findAndSave'
  const rows = isWrite ? rowsOf(order) : []
  contender.prepare?.(rows)
  globalThis.gc?.()
  const start = performance.now()
  if (order.work === 'upsert') await contender.upsert(rows)
  else if (order.work === 'findAndSave') await contender.findAndSave?.(rows)
  else {
    const read = await (order.work === 'read' ? contender.read() : contender.readFields?.())
    if (read !== order.rows) throw new Error(`${read} rows were read of ${order.rows}`)
  }
  const milliseconds = performance.now() - start
  return { milliseconds, rssMegabytes: Math.round(process.memoryUsage.rss() / 2 ** 20) }
}
