import type { Child } from './children.ts'
import type { Lane } from './lane.ts'
import type { PipelineShape } from './models.ts'
import { writeRows } from './rows.ts'

/** Rows of the source at first; each later round changes a fourth of them and adds a few. */
const ROWS = 1_200
const FIRST: PipelineShape = { partitionRows: 500 }
const NEXT: PipelineShape = { partitionRows: 120 }

export interface KillReport {
  /** Points that a run has. */
  readonly points: { readonly first: number; readonly next: number }
  readonly kills: number
  /** How many different points were met, by what happens there. */
  readonly kinds: number
  /** Kills after which the run had committed already. */
  readonly afterCommit: number
  /** Half-written files of killed processes, which no reader sees. */
  readonly partialObjects: number
}

interface Wanted {
  readonly first: number | null
  readonly next: number | null
  readonly from: { readonly first: number; readonly next: number }
}

/** Kills runs one after the other at points spread over all there are; the next run has to make each good. */
export class Kills {
  readonly #lane: Lane
  readonly #kinds = new Set<string>()
  #version = 0
  #rows = ROWS
  #landed: ReadonlyMap<string, string> = new Map()
  #kills = 0
  #afterCommit = 0

  constructor(lane: Lane) {
    this.#lane = lane
  }

  /** So many kills of first runs and of later ones, each from a point on; null: at every point. */
  async run(atMost: Wanted): Promise<KillReport> {
    const first = await this.#count('first')
    await this.#killAt('first', spreadFrom(first, atMost.from.first, atMost.first))
    const next = await this.#count('next')
    await this.#killAt('next', spreadFrom(next, atMost.from.next, atMost.next))
    const partialObjects = (await this.#lane.partialObjects()).length
    return {
      points: { first: first.length, next: next.length },
      kills: this.#kills,
      kinds: this.#kinds.size,
      afterCommit: this.#afterCommit,
      partialObjects,
    }
  }

  /** The points of a run that nothing befalls. */
  async #count(kind: 'first' | 'next'): Promise<readonly string[]> {
    const stamp = await this.#prepare(kind)
    const { ended, points } = await this.#child(kind, null).go()
    if (ended?.status !== 'SUCCEEDED') throw new Error(`the run without a kill failed: ${ended?.reasons.join('; ')}`)
    await this.#lane.recover(stamp)
    this.#landed = await this.#lane.check()
    return points
  }

  async #killAt(kind: 'first' | 'next', numbers: readonly number[]): Promise<void> {
    const waiting = [...numbers]
    let next = this.#childAt(kind, waiting.shift())
    try {
      while (next !== null) {
        const child = next
        await child.ready
        // The next process reads its code while this one runs.
        next = this.#childAt(kind, waiting.shift())
        const wasKilled = await this.#kill(child, await this.#prepare(kind))
        // A run is not like the other to the last point: one that ended before its own is made up for by an earlier
        // one.
        if (!wasKilled) waiting.push(Math.ceil((numbers.at(-1) ?? 0) * (0.9 - waiting.length / 1_000)))
        next ??= this.#childAt(kind, waiting.shift())
      }
    } finally {
      next?.process.kill('SIGKILL')
    }
  }

  /** Says whether the run came to its point. */
  async #kill(child: Child, stamp: string): Promise<boolean> {
    const lane = this.#lane
    const before = await lane.lastRun()
    const others = await lane.sessions()
    const { signal, point, ended } = await child.go()
    if (signal === 'SIGKILL') {
      this.#kills += 1
      this.#kinds.add(point)
    } else if (ended?.status !== 'SUCCEEDED') {
      throw new Error(`${child.runId} was not killed and failed: ${ended?.reasons.join('; ')}`)
    }
    const left = [...(await lane.sessions())].filter((session) => !others.has(session))
    try {
      // Every other time the next run starts while the servers have not noticed yet that a client is gone.
      const isPatient = this.#kills % 2 === 0
      if (isPatient) await lane.untilGone(left)
      const hasMoved = (await lane.lastRun()) !== before
      if (hasMoved) this.#afterCommit += 1
      if (isPatient) await lane.checkNotPassed(this.#landed, hasMoved)
      await lane.settle()
      await lane.recover(stamp)
      await lane.untilGone(left)
      this.#landed = await lane.check()
      return signal === 'SIGKILL'
    } catch (error) {
      throw new Error(`after ${child.runId} was killed at "${point}": ${(error as Error).message}`, { cause: error })
    }
  }

  /**
   * Changes the source; a first run finds a target without any table of Dray's and no `last_run`. Returns the last
   * stamp.
   */
  async #prepare(kind: 'first' | 'next'): Promise<string> {
    const { source, target } = this.#lane
    this.#version += 1
    if (kind === 'next') {
      const from = this.#rows + 1
      this.#rows += 8
      await writeRows(source, { from: 1, to: this.#rows, every: 4, place: this.#version }, this.#version)
      return writeRows(source, { from, to: this.#rows }, this.#version)
    }
    this.#landed = new Map()
    await target.run('delete from product')
    await target.run('drop table if exists dray_migration, dray_fence, dray_ledger, dray_closing, dray_spelling')
    await this.#lane.forget()
    return writeRows(source, { from: 1, to: this.#rows }, this.#version)
  }

  #childAt(kind: 'first' | 'next', crashAt: number | undefined): Child | null {
    return crashAt === undefined ? null : this.#child(kind, crashAt)
  }

  #child(kind: 'first' | 'next', crashAt: number | null): Child {
    return this.#lane.child({ crashAt, shape: kind === 'first' ? FIRST : NEXT })
  }
}

/** As `spread`, of the points behind so many that are left out; null: all of them. */
function spreadFrom(points: readonly string[], from: number, atMost: number | null): number[] {
  const behind = points.slice(from)
  return spread(behind, atMost ?? behind.length).map((number) => number + from)
}

/** Where state and target could come apart. */
const CRITICAL = /^state\.|^staging\.write|: state-|COMMIT|dray_(fence|ledger|closing)|delete from|drop table/i

/** Numbers of points, from 1: of each critical kind one, then one of the other kinds, then evenly over all. */
export function spread(points: readonly string[], wanted: number): number[] {
  const numbers = points.map((_, index) => index + 1)
  if (wanted >= numbers.length) return numbers
  const kinds = Map.groupBy(numbers, (number) => points[number - 1] ?? '')
  const oneOf = (isCritical: boolean) =>
    [...kinds]
      .filter(([kind]) => CRITICAL.test(kind) === isCritical)
      .map(([, each], at) => each[at % each.length] as number)
  const chosen = new Set(evenly(oneOf(true), wanted))
  for (const number of evenly(oneOf(false), wanted - chosen.size)) chosen.add(number)
  for (const number of evenly(numbers, wanted * 2)) if (chosen.size < wanted) chosen.add(number)
  return [...chosen].sort((one, other) => one - other)
}

/** The last one is always among them: what comes behind the commit is at the end. */
function evenly(numbers: readonly number[], wanted: number): number[] {
  if (wanted >= numbers.length) return [...numbers]
  const step = (numbers.length - 1) / Math.max(1, wanted - 1)
  return Array.from({ length: wanted }, (_, index) => numbers[numbers.length - 1 - Math.floor(index * step)] as number)
}
