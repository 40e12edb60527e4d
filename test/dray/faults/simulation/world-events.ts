import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { claimTable } from 'dray/internal/pipeline/landing/claim.ts'
import { raiseFence } from 'dray/internal/pipeline/landing/ledger.ts'
import { migrateTarget } from 'dray/internal/pipeline/landing/migrate.ts'
import type { Clock } from 'dray-infra/internal/states-language/index.ts'
import type { MemoryDatabase, MemoryDatabaseOptions } from './memory-database.ts'
import type { MemoryStateTable } from './memory-state-store.ts'
import type { Row } from './memory-transaction.ts'
import { DROPPED_LABEL, PIPELINE, pipelineOf, SWALLOWED_LABEL, tableOf, target } from './models.ts'
import type { Memory, Oracle } from './oracle.ts'
import { Others } from './others.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'
import type { SourceWriters } from './source-writers.ts'
import { Divergence } from './witness.ts'
import { LIMIT, type Period } from './world.ts'

const RIVAL = 'rival'
/** A server takes no policy of its tables back by itself. */
const REFUSAL = 'query would be affected by row-level security policy for table "item"'

export interface Databases {
  readonly source: MemoryDatabase
  readonly elsewhere: MemoryDatabase
  readonly target: MemoryDatabase
}

export interface Surroundings {
  readonly scenario: Scenario
  readonly clock: Clock
  readonly start: number
  readonly random: Random
  readonly databases: Databases
  readonly state: MemoryStateTable
  readonly oracle: Oracle
  readonly writers: SourceWriters
  /** Which partitions have landed. */
  readonly landings: Set<string>
  tell(text: () => string): void
  watch(check: () => void): void
  /** The error of a server that refuses. */
  refusal(message: string): Error
}

/** Lets happen to the databases of a schedule what its world says, and knows what has happened. */
export class WorldEvents {
  readonly #around: Surroundings
  readonly others: Others
  #isSettled = false
  #rivalUntil = Number.POSITIVE_INFINITY
  targetChangedAt = Number.NEGATIVE_INFINITY
  stateLostAt = Number.NEGATIVE_INFINITY
  rivalSince = Number.POSITIVE_INFINITY
  /** When somebody last did what a refusal had said. */
  remediedAt = Number.NEGATIVE_INFINITY
  /** How often the target was changed. */
  changes = 0

  constructor(around: Surroundings) {
    this.#around = around
    this.others = new Others(around)
  }

  get #world() {
    return this.#around.scenario.world
  }

  #at(seconds: number): number {
    return this.#around.start + seconds * 1000
  }

  #isIn(period: Period | null): boolean {
    if (period === null || this.#isSettled) return false
    const now = this.#around.clock.now()
    return now >= this.#at(period.fromSeconds) && now < this.#at(period.untilSeconds)
  }

  /** Whether a run that lives since then has seen something of a period. */
  overlaps(period: Period | null, since: number): boolean {
    return (
      period !== null &&
      since < this.#at(period.untilSeconds) &&
      this.#around.clock.now() >= this.#at(period.fromSeconds)
    )
  }

  overlapsRival(since: number): boolean {
    return this.#world.rivalAfterSeconds !== null && this.#rivalUntil >= since
  }

  /** Whether target and state have come apart, and nobody had mended it when a run started. */
  areApart(startedAt: number): boolean {
    const isMended = this.remediedAt > Math.max(this.targetChangedAt, this.stateLostAt) && startedAt >= this.remediedAt
    return (this.changes > 0 || this.isStateLost) && !isMended
  }

  get isStateLost(): boolean {
    return this.stateLostAt > Number.NEGATIVE_INFINITY
  }

  /** Whether a run that starts now is bound to another server. */
  get isElsewhere(): boolean {
    return this.#isIn(this.#world.elsewhere)
  }

  /** What the source does beside the usual. */
  sourceOptions(now: () => number): Partial<MemoryDatabaseOptions> {
    const { replica, hides } = this.#world
    const stopsAt = () => (this.#isIn(replica) ? this.#at((replica as Period).fromSeconds) : this.#around.clock.now())
    return {
      ...(replica === null
        ? {}
        : { replayedUntil: () => Math.floor(now() - (this.#around.clock.now() - stopsAt()) - 5_000) }),
      ...(hides?.by === 'policy'
        ? {
            refusesToRead: (table: string) =>
              table === 'item' && this.#isIn(hides) ? this.#around.refusal(REFUSAL) : null,
          }
        : {}),
      ...(hides?.by === 'limit' ? { mostRows: () => (this.#isIn(hides) ? LIMIT : Number.POSITIVE_INFINITY) } : {}),
    }
  }

  /** The trigger of the target. */
  drops(table: string, row: Row, isDeleted: boolean): boolean {
    const { trigger } = this.#world
    if (trigger === null || this.#isSettled || table !== tableOf(this.#around.scenario.shape)) return false
    if (trigger === 'keeps rows') return isDeleted && Number(row.id ?? row.code?.at(-1)) % 3 === 0
    return !isDeleted && (row.label === DROPPED_LABEL || row.label === SWALLOWED_LABEL)
  }

  /** All of it, beside the runs. */
  async run(): Promise<void> {
    await Promise.all([this.#changeTarget(), this.#loseState(), this.#declareRival(), this.others.run()])
  }

  async #changeTarget(): Promise<void> {
    const event = this.#world.target
    if (event === null) return
    const { clock, databases, oracle, landings } = this.#around
    await clock.sleep(event.atSeconds * 1000)
    const backup = databases.target.backUp()
    const known = { memory: oracle.remembered(), landings: [...landings] }
    if (event.kind === 'swapped') this.#putBack(new Map(), null, [])
    await clock.sleep((event.backSeconds - event.atSeconds) * 1000)
    if (event.kind === 'new') this.#putBack(new Map(), null, [])
    else this.#putBack(backup, known.memory, known.landings)
  }

  #putBack(backup: ReturnType<MemoryDatabase['backUp']>, memory: Memory | null, landed: readonly string[]): void {
    const { clock, databases, oracle, landings, tell } = this.#around
    if (this.#isSettled) return
    tell(() => `the target is ${memory === null ? 'a new one' : 'as it was'}`)
    databases.target.restore(backup)
    oracle.goBackTo(memory)
    landings.clear()
    for (const landing of landed) landings.add(landing)
    this.targetChangedAt = clock.now()
    this.changes += 1
  }

  async #loseState(): Promise<void> {
    const { stateLostAfterSeconds: seconds } = this.#world
    if (seconds === null) return
    const { clock, state, tell } = this.#around
    await clock.sleep(seconds * 1000)
    tell(() => 'the state is lost')
    state.clear()
    this.stateLostAt = clock.now()
  }

  /** Another pipeline is planned that takes rows of the same table away. */
  async #declareRival(): Promise<void> {
    const { rivalAfterSeconds: seconds } = this.#world
    if (seconds === null) return
    const { clock, databases, tell, watch, scenario, random } = this.#around
    await clock.sleep(seconds * 1000)
    const own = databases.target.rows('dray_fence').find(({ pipeline }) => pipeline === PIPELINE)
    const isClaimed = (own?.written_table ?? null) !== null
    // Either of the two is enough: one that takes rows away.
    const plain = scenario.shape.deletes === 'hard' && random.chance(0.5) ? ({ deletes: 'ignore' } as const) : {}
    const rival = pipelineOf({ ...scenario.shape, ...plain }, false, RIVAL)
    const isRefused = await this.#isRefused(rival)
    tell(() => `another pipeline ${isRefused ? 'is refused' : 'writes the same table'}`)
    if (!isRefused) this.rivalSince = clock.now()
    watch(() => {
      if (isClaimed && !isRefused) throw new Divergence(`${RIVAL} may write a table that ${PIPELINE} writes alone`)
    })
  }

  async #isRefused(rival: Pipeline): Promise<boolean> {
    try {
      await migrateTarget(target)
      const fence = await raiseFence(target, RIVAL, { epoch: 1, runId: `${RIVAL}-1` }, ({ mark }) => mark)
      await claimTable(rival, fence)
      return false
    } catch (error) {
      if (!(error as Error).message.includes('each would undo what the other has loaded')) throw error
      return true
    }
  }

  /** Somebody has mended what can be mended. */
  async settle(): Promise<void> {
    const { random, writers } = this.#around
    const { trigger, futureStamps } = this.#world
    // A row that a trigger drops is in the quarantine, and may stay there.
    this.#isSettled = trigger !== 'drops rows'
    if (this.rivalSince < Number.POSITIVE_INFINITY) {
      this.rivalSince = Number.POSITIVE_INFINITY
      this.#rivalUntil = this.#around.clock.now()
      await target.query('delete from "dray_fence" where "pipeline" = $1', [RIVAL])
    }
    if (futureStamps > 0 && random.chance(0.5)) writers.correctStamps()
  }
}
