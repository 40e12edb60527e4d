import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BlockEncoder } from 'dray/internal/block/copy-text.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import type { Block } from 'dray/internal/staging/staging-store.ts'
import { limitResult, progress, type Result } from './measure.ts'
import { orders, source } from './order-pipelines.ts'
import { attributesOf } from './order-tables.ts'

/** By what a transform does with the fields of a row; the last one leaves all rows out. */
const KINDS: readonly (readonly [string, Pipeline])[] = [
  ['', orders as unknown as Pipeline],
  [', fields spread', { ...orders, transform: (order: object) => ({ ...order }) } as unknown as Pipeline],
  [', no field used', { ...orders, transform: () => null } as unknown as Pipeline],
]

/** What the transform step takes of Node's processor time: staging read and written, records, rules, checksums. */
export async function transformCost(rows: number): Promise<Result[]> {
  const results: Result[] = []
  for (const [kind, pipeline] of KINDS) results.push(await costOf(pipeline, kind, rows))
  return results
}

async function costOf(pipeline: Pipeline, kind: string, rows: number): Promise<Result> {
  progress(`transforming ${rows} staged rows${kind}`)
  const folder = await mkdtemp(join(tmpdir(), 'dray-bench-transform-'))
  const staging = new FolderStagingStore(folder)
  const services: Services = {
    staging,
    state: null as never,
    signal: new AbortController().signal,
    now: Date.now,
    log: { info: () => {}, warn: () => {} },
    progress: () => {},
    runner: 'bench',
  }
  try {
    const header = { format: 'copy-text', columns: source.Order.definition.columnNames } as const
    const extracted = await staging.write('extracted', header, blocksOf(rows))
    const run = { id: 'run', workflow: 'bench', started_at: '2026-01-01T00:00:00.000Z', trigger: 'manual' }
    const input = { run, pipeline: pipeline.name, plan: extracted, epoch: 1, partition: 0, extracted }
    const microseconds: number[] = []
    for (let round = 0; round < 5; round++) {
      const before = process.cpuUsage()
      const { transformed } = await transform(pipeline, input, services)
      const { user, system } = process.cpuUsage(before)
      if (![0, rows].includes(transformed.rows)) throw new Error(`${transformed.rows} of ${rows} rows were transformed`)
      if (round >= 2) microseconds.push((user + system) / rows)
    }
    return limitResult(`processor time of the transform step, a row${kind}`, 'µs', microseconds, 3.5)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function* blocksOf(rows: number): Generator<Block> {
  const encoder = new BlockEncoder()
  for (let index = 0; index < rows; index++) {
    const { orderId, customerId, orderDate, amount, status, note, lastUpdated } = attributesOf(index, 0)
    const block = encoder.push([
      String(orderId),
      String(customerId),
      orderDate,
      amount,
      status,
      note,
      `${lastUpdated}+00`,
    ])
    if (block !== null) yield block
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}
