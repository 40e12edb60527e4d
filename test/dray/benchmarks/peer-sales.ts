import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { medianOf, progress, type Result, rounded } from './measure.ts'
import { changeSales, fillSales, type SalesDatabase, type Server, salesDatabase, sumOfSales } from './peers/sales.ts'
import {
  dltSales,
  draySales,
  emptySales,
  pgloaderSales,
  pipeSales,
  type SalesTool,
  slingSales,
  type Way,
} from './peers/sales-tools.ts'
import { runWhole, type Taken } from './peers/whole-command.ts'
import { hasPgloader } from './raw-pipes.ts'

export type Pair = readonly [Server, Server]

const ROUNDS = 2

/** Longer than any tool's lag, in ms. */
const SETTLED = 3_500

interface Work {
  readonly name: string
  readonly way: Way
  /** Of how many rows one is changed before; 0: none. */
  readonly changed: number
  /** How many times as fast as the quickest of the others. */
  readonly goal: number
}

/** What is done with the table, one after the other; a tool has its own target. */
const WORKS = [
  { name: 'empty target', way: 'full', changed: 0, goal: 1.5 },
  { name: 'full load, every row equal', way: 'full', changed: 0, goal: 1.5 },
  { name: 'incremental, a tenth of the rows changed', way: 'cursor', changed: 10, goal: 1.5 },
  { name: 'incremental, a hundredth changed', way: 'cursor', changed: 100, goal: 1.5 },
  { name: 'incremental, nothing new', way: 'cursor', changed: 0, goal: 1 },
] as const satisfies readonly Work[]

/** One large table beside other tools: whole commands in turns, contents compared after each. */
export async function peerSales(pairs: readonly Pair[], packages: string | null, rows: number): Promise<Result[]> {
  const results: Result[] = []
  if (!hasPgloader) progress('pgloader is left out: it is not on the path')
  for (const [from, into] of pairs) {
    const source = await salesDatabase(from)
    if (source === null) continue
    progress(`filling ${from} with ${rows} rows`)
    await fillSales(source, rows)
    const others = packages === null ? [] : [slingSales(packages), dltSales(packages)]
    const tools = [await draySales(source.url), ...others, pgloaderSales(), pipeSales()]
    try {
      results.push(...(await pair(`${from} → ${into}`, source, into, tools, rows)))
    } finally {
      await Promise.all([source.close(), ...tools.map((tool) => tool.close())])
    }
  }
  return results
}

type Found = Map<string, Map<string, Taken[]>>

async function pair(
  name: string,
  source: SalesDatabase,
  into: Server,
  tools: readonly SalesTool[],
  rows: number,
): Promise<Result[]> {
  const found: Found = new Map(WORKS.map((work) => [work.name, new Map()]))
  for (let round = 0; round < ROUNDS; round++) {
    const turn = round % tools.length
    for (const tool of [...tools.slice(turn), ...tools.slice(0, turn)]) {
      for (const way of ['full', 'cursor'] as const) {
        const target = await salesDatabase(into)
        if (target === null) return []
        try {
          await worked(name, { source, target, into, tool, way, rows }, found)
        } finally {
          await target.close()
        }
      }
    }
  }
  return WORKS.flatMap((work) =>
    resultsOf(`${name}, ${work.name}`, work.goal, found.get(work.name) as Map<string, Taken[]>),
  )
}

interface Trial {
  readonly source: SalesDatabase
  readonly target: SalesDatabase
  readonly into: Server
  readonly tool: SalesTool
  readonly way: Way
  readonly rows: number
}

/** The works of one way, each timed and its rows compared. */
async function worked(name: string, { source, target, into, tool, way, rows }: Trial, found: Found): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-peer-'))
  await chmod(folder, 0o755)
  try {
    const command = await tool.command({ source: source.url, target: target.url, folder }, way)
    if (command === null) return
    if (tool.isPipe) await target.run(emptySales(into))
    const run = async (work: string | null) => {
      const taken = await runWhole(tool.name, command, folder)
      const [there, here] = [await sumOfSales(source, 'sale'), await sumOfSales(target, tool.table(target.url))]
      if (there !== here) throw new Error(`${name}, ${work}: ${tool.name} has loaded other rows: ${here}, not ${there}`)
      await target.settle()
      if (work === null) return
      progress(
        `  ${name}, ${work}, ${tool.name}: ${taken.wall} s, ${rounded(taken.processor)} s of processors, ${taken.memory} MB`,
      )
      const of = found.get(work) as Map<string, Taken[]>
      of.set(tool.name, [...(of.get(tool.name) ?? []), taken])
    }
    if (way === 'cursor') await run(null)
    for (const work of WORKS) {
      if (work.way !== way || (tool.isPipe && work.name !== 'empty target')) continue
      if (work.changed > 0) await changeSales(source, rows / work.changed, rows)
      if (way === 'cursor') await delay(SETTLED)
      await run(work.name)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function resultsOf(name: string, goal: number, taken: ReadonlyMap<string, readonly Taken[]>): Result[] {
  const median = (tool: string, of: keyof Taken) => medianOf((taken.get(tool) ?? []).map((one) => one[of]))
  const peers = [...taken.keys()].filter((tool) => tool !== 'Dray' && tool !== 'raw pipe')
  const fastest = peers.length === 0 ? null : Math.min(...peers.map((tool) => median(tool, 'wall')))
  return [...taken.keys()].map((tool): Result => {
    const walls = (taken.get(tool) ?? []).map(({ wall }) => wall)
    const isHeld = tool === 'Dray' && fastest !== null
    const ratio = isHeld ? rounded(fastest / median(tool, 'wall')) : null
    return {
      name: `${name}: ${tool}`,
      value: rounded(median(tool, 'wall')),
      unit: 's',
      baseline: isHeld ? rounded(fastest) : null,
      ratio,
      goal: isHeld ? goal : null,
      better: 'more',
      ok: ratio === null ? null : ratio >= goal,
      spread: [Math.min(...walls), Math.max(...walls)],
      note: `${rounded(median(tool, 'processor'))} s of processors, ${median(tool, 'memory')} MB`,
    }
  })
}
