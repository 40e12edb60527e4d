import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { Child } from './children.ts'
import { spread } from './kills.ts'
import type { KindOfRun } from './kinds.ts'
import { Divergence, type Lane } from './lane.ts'

export interface KindReport {
  readonly points: number
  readonly kills: number
  /** How many different points were met, by what happens there. */
  readonly kinds: number
}

/** The number of a point, counted from the first one that meets the pattern. */
interface Crash {
  readonly crashAt: number
  readonly crashFrom?: string
}

/** Kills runs of one kind one after the other; each time another run has to make it good. */
export class KindKills {
  readonly #lane: Lane
  readonly #kind: KindOfRun
  readonly #met = new Set<string>()
  #round = 0
  #kills = 0

  constructor(lane: Lane, kind: KindOfRun) {
    this.#lane = lane
    this.#kind = kind
  }

  /** So many kills, or one at each point (null). */
  async run(atMost: number | null): Promise<KindReport> {
    await this.#kind.begin(this.#lane)
    const points = await this.#count()
    const waiting =
      atMost === null ? points.map((_, index) => ({ crashAt: index + 1 })) : chosen(points, atMost, this.#kind)
    const most = 2 * waiting.length
    let next: Child | null = this.#childAt(waiting.shift())
    try {
      for (let tried = 1; next !== null; tried++) {
        const child: Child = next
        await child.ready
        // The next process reads its code while this one runs.
        next = this.#childAt(waiting.shift())
        // A run is not like the other to the last point: one that ended before its own is made up for by an earlier
        // one.
        if (!(await this.#kill(child)) && tried < most)
          waiting.push({ crashAt: Math.ceil(points.length * (0.9 - tried / (2 * most))) })
        next ??= this.#childAt(waiting.shift())
      }
    } finally {
      next?.process.kill('SIGKILL')
    }
    return { points: points.length, kills: this.#kills, kinds: this.#met.size }
  }

  /** The points of a run that nothing befalls. */
  async #count(): Promise<readonly string[]> {
    this.#round += 1
    const mode = await this.#kind.prepare(this.#lane, this.#round)
    const { ended, points } = await this.#lane.child().go(mode)
    if (ended?.status !== 'SUCCEEDED') throw new Error(`the run without a kill failed: ${ended?.reasons.join('; ')}`)
    await this.#kind.check(this.#lane)
    await this.#lane.checkNothingLeft()
    return points
  }

  /** Says whether the run came to its point. */
  async #kill(child: Child): Promise<boolean> {
    const lane = this.#lane
    this.#round += 1
    const mode = await this.#kind.prepare(lane, this.#round)
    const others = await lane.sessions()
    const { signal, point, ended } = await child.go(mode)
    if (signal === 'SIGKILL') {
      this.#kills += 1
      this.#met.add(point)
    } else if (ended?.status !== 'SUCCEEDED') {
      throw new Error(`${child.runId} was not killed and failed: ${ended?.reasons.join('; ')}`)
    }
    const left = [...(await lane.sessions())].filter((session) => !others.has(session))
    try {
      const isPatient = this.#kills % 2 === 0
      if (isPatient) await lane.untilGone(left)
      await this.#kind.checkKilled?.(lane)
      await lane.settle()
      // What has been begun is gone on with, or done again, in turn.
      await this.#makeGood(this.#kills % 4 < 2 ? await this.#resumed(child.runId, mode) : mode)
      await lane.untilGone(left)
      await this.#kind.check(lane)
      await lane.checkNothingLeft()
      return signal === 'SIGKILL'
    } catch (error) {
      throw new Error(`after ${child.runId} was killed at "${point}": ${(error as Error).message}`, { cause: error })
    }
  }

  /** A run that was killed before it was known cannot be resumed. */
  async #resumed(runId: string, mode: RunMode | null): Promise<RunMode | null> {
    return (await this.#lane.state.run(runId)) === null ? mode : { resume: runId }
  }

  async #makeGood(mode: RunMode | null): Promise<void> {
    const { status, reasons } = await this.#lane.run({ mode })
    if (status !== 'SUCCEEDED')
      throw new Divergence(`the run after the fault (${JSON.stringify(mode)}) ended ${status}: ${reasons.join('; ')}`)
  }

  #childAt(crash: Crash | undefined): Child | null {
    return crash === undefined ? null : this.#lane.child(crash)
  }
}

/**
 * Half of them from where Commit writes to the target until it turns to the state, or anywhere in Commit; the others
 * spread over all.
 */
function chosen(
  points: readonly string[],
  wanted: number,
  { critical = /^Commit: state-entered/, phases }: KindOfRun,
): Crash[] {
  if (phases !== undefined) return inPhases(points, wanted, phases)
  const start = points.findIndex((point) => critical.test(point))
  const length = points.slice(start).findIndex((point) => point.startsWith('state.commit starts'))
  if (start < 0 || length < 0) throw new Error(`this run has no ${critical} among its points`)
  const half = Math.ceil(wanted / 2)
  const within = Array.from({ length: half }, (_, at) => ({
    crashAt: 2 + Math.floor((at * length) / half),
    crashFrom: critical.source,
  }))
  return [...spread(points, wanted - half).map((crashAt) => ({ crashAt })), ...within]
}

/** As many of each phase, spread over it; each is counted from where the phase begins. */
function inPhases(points: readonly string[], wanted: number, phases: readonly RegExp[]): Crash[] {
  const starts = phases.map((phase) => points.findIndex((point) => phase.test(point)))
  const missing = phases.find((_, at) => (starts[at] ?? -1) < 0)
  if (missing !== undefined) throw new Error(`this run has no ${missing} among its points`)
  return phases.flatMap(({ source: crashFrom }, at) => {
    const own = points.slice(starts[at], starts[at + 1])
    return spread(own, Math.ceil(wanted / phases.length)).map((crashAt) => ({ crashAt, crashFrom }))
  })
}
