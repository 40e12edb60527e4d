import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { ExtractInput } from 'dray/internal/messages/stages.ts'
import { migrateTarget } from 'dray/internal/pipeline/landing/migrate.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { readJsonArray } from 'dray/internal/staging/documents.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { settleRun } from 'dray-infra/internal/runs/settle-run.ts'
import { execute } from 'dray-infra/internal/states-language/index.ts'
import { VirtualClock } from '#test/states-language/virtual-clock.ts'
import { BY_CURSOR, compiled, type FamilyTable, family, source, TABLES, target } from './family-models.ts'
import {
  checkKeys,
  checkLanded,
  checkNothingHeld,
  checkRecords,
  checkSame,
  type FamilyDatabases,
} from './family-oracle.ts'
import { FamilyWriters } from './family-writers.ts'
import { Faults } from './faults.ts'
import { handle } from './handlers.ts'
import { Invocation } from './invocation.ts'
import { MemoryDatabase, type MemoryDatabaseOptions } from './memory-database.ts'
import { MemoryStagingStore } from './memory-staging-store.ts'
import { MemoryStateTable, memoryStateStore } from './memory-state-store.ts'
import { PIPELINE } from './models.ts'
import { Random } from './random.ts'
import { drawScenario, type RunPlan, type Scenario } from './scenario.ts'
import type { ScheduleResult } from './simulation.ts'
import { Divergence } from './witness.ts'

const START = Date.parse('2024-03-01T00:00:00Z')
const HOUR = 3_600_000
/** The runs, faults and clocks of a usual schedule. */
export function drawFamily(seed: number, over: Partial<Scenario> = {}): Scenario {
  return drawScenario(seed, { kind: 'usual', damage: 0, exact: true, sourceStepsBack: null, ...over })
}

const UNTROUBLED = { endedAfterSeconds: null, machineLost: false } as const

/** One schedule of a replica: tables, runs, writers and faults on virtual time; judged by what the databases hold. */
export class FamilySimulation {
  readonly #scenario: Scenario
  readonly #clock = new VirtualClock(START)
  readonly #random: Random
  readonly #faults: Faults
  readonly #table: MemoryStateTable
  readonly #state: StateStore
  readonly #staging: MemoryStagingStore
  readonly #databases: FamilyDatabases
  readonly #writers: FamilyWriters
  readonly #trace: ((line: string) => void) | null
  readonly #statuses: string[] = []
  readonly #runs: string[] = []
  /** Runs that ended without their Finish. */
  readonly #lost = new Set<string>()
  #divergence: Error | null = null

  constructor(scenario: Scenario, trace: ((line: string) => void) | null = null) {
    this.#scenario = scenario
    this.#trace = trace
    this.#random = new Random(scenario.seed + 1_000_000_009)
    this.#faults = new Faults(scenario.faults, this.#random.fork(), this.#clock, (text) => this.#tell(text))
    this.#table = new MemoryStateTable(this.#faults.io)
    this.#state = memoryStateStore(this.#table)
    this.#staging = new MemoryStagingStore(this.#faults.io)
    // Whole seconds, so that equal stamps and stamps at the border of a window are common.
    const now = () => Math.floor((this.#clock.now() + scenario.sourceSkew) / 1000) * 1000
    const options: MemoryDatabaseOptions = { now, exact: true, check: () => null, onCommit: () => {} }
    this.#databases = {
      source: new MemoryDatabase(options),
      target: new MemoryDatabase({ ...options, onCommit: () => this.#watch(() => checkKeys(this.#databases)) }),
    }
    this.#writers = new FamilyWriters(this.#databases.source, now, this.#clock, this.#random.fork())
  }

  /** Runs the schedule to its end. Throws `Divergence` when the promise was broken on the way or at the end. */
  async run(): Promise<ScheduleResult> {
    try {
      return await this.#run()
    } catch (error) {
      // What is still on its way must not come out in the next schedule.
      this.#faults.on = false
      await this.#clock.sleep(200 * HOUR)
      throw error
    }
  }

  async #run(): Promise<ScheduleResult> {
    const opened = (connection: Parameters<Invocation['connected']>[0]) =>
      this.#faults.current.getStore()?.connected(connection)
    source.connect(this.#databases.source, this.#faults.io, opened)
    target.connect(this.#databases.target, this.#faults.io, opened)
    this.#table.onWrite = (before, after) => this.#watch(() => this.#stateWritten(before, after))
    await migrateTarget(target)
    this.#writers.begin(this.#scenario.initialRows)
    const beside = this.#writers.run(this.#scenario.writers + 1)
    await Promise.all(this.#scenario.runs.map((each, index) => this.#laterRun(`run-${index + 1}`, each)))
    await beside
    this.#faults.on = false
    await this.#settleLost()
    await this.#repeatToSuccess()
    // Whatever was stalled, delayed or doubled comes out of its hole after everybody else has gone home.
    await this.#clock.sleep(48 * HOUR)
    await this.#settleLost()
    this.#raise()
    checkSame(this.#databases)
    await checkNothingHeld(this.#state, this.#databases)
    const { requests, injected } = this.#faults
    return { requests, injected, runs: this.#runs.length, statuses: this.#statuses }
  }

  #tell(text: () => string): void {
    if (this.#trace === null) return
    this.#trace(`${((this.#clock.now() - START) / 1000).toFixed(0).padStart(7)} s  ${text()}`)
  }

  /** Runs a check where an error must not reach what is simulated. */
  #watch(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#tell(() => `!!! ${(error as Error).message}`)
      this.#divergence ??= error as Error
    }
  }

  #raise(): void {
    if (this.#divergence !== null) throw this.#divergence
  }

  #stateWritten(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): void {
    const [from, to] = [before.last_run, after.last_run] as (string | undefined)[]
    const name = String(after.pipeline ?? '')
    if (from === to || to === undefined || !name.startsWith(`${PIPELINE}/`)) return
    this.#tell(() => `last_run of ${name} goes from ${from} to ${to}`)
    if (from !== undefined && to < from) throw new Divergence(`last_run of ${name} went back from ${from} to ${to}`)
    checkLanded(this.#databases, name.slice(PIPELINE.length + 1), to)
  }

  async #laterRun(id: string, planned: RunPlan): Promise<void> {
    await this.#clock.sleep(planned.startSeconds * 1000)
    if (this.#random.chance(0.5)) await this.#settleLost()
    const earlier = this.#runs.filter((run) => this.#lost.has(run)).at(-1)
    const isResumed = earlier !== undefined && this.#random.chance(0.5)
    // A run that nobody knows of cannot be resumed.
    const isKnown = isResumed && (await this.#state.run(earlier)) !== null
    await this.#execute(id, planned, isKnown ? { resume: earlier } : null)
  }

  async #settleLost(): Promise<void> {
    for (const id of this.#lost) await settleRun(this.#state, id, { reason: 'the machine was lost' }, this.#clock.now())
  }

  /** Once nothing goes wrong any more, the run is repeated until everything that was written has been read. */
  async #repeatToSuccess(): Promise<void> {
    const settled = this.#clock.now() + this.#scenario.sourceSkew
    for (let attempt = 1; attempt <= 40; attempt++) {
      const status = await this.#execute(`again-${attempt}`, UNTROUBLED, null)
      this.#raise()
      if (status === 'SUCCEEDED' && (await this.#areRead(settled))) return
      await this.#clock.sleep(HOUR / 2)
    }
    throw new Divergence(`40 runs without any fault have not read everything; the last ended ${this.#statuses.at(-1)}`)
  }

  async #areRead(settled: number): Promise<boolean> {
    for (const table of BY_CURSOR.filter((name) => this.#databases.source.tableNames().includes(name))) {
      const lastRun = (await this.#state.pipeline(`${PIPELINE}/${table}`))?.lastRun ?? null
      if (lastRun === null || Date.parse(`${lastRun.replace(' ', 'T')}Z`) <= settled) return false
    }
    return true
  }

  /** One execution of the compiled definition. */
  async #execute(
    id: string,
    { endedAfterSeconds, machineLost }: Pick<RunPlan, 'endedAfterSeconds' | 'machineLost'>,
    mode: RunMode | null,
  ): Promise<string> {
    const controller = new AbortController()
    const invocations = new Set<Invocation>()
    const end = new AbortController()
    if (endedAfterSeconds !== null) {
      const stop = () => {
        this.#tell(() => `${id}: ${machineLost ? 'the machine is lost' : 'the execution is stopped'}`)
        this.#lost.add(id)
        controller.abort(new Error('the execution is stopped'))
        if (machineLost) for (const invocation of invocations) invocation.crash(5)
      }
      this.#clock.sleep(endedAfterSeconds * 1000, end.signal).then(stop, () => {})
    }
    this.#runs.push(id)
    const there = this.#tablesOfNow()
    this.#tell(() => `${id} starts ${mode === null ? '' : JSON.stringify(mode)}`)
    const { status, error, cause } = await execute(compiled.definition, mode === null ? {} : { mode }, {
      clock: this.#clock,
      executionName: id,
      machines: compiled.machines,
      random: () => this.#random.fraction(),
      signal: controller.signal,
      readItems: ({ key }) => readJsonArray(this.#staging, key),
      executor: { invoke: (name, payload, options) => this.#invoke(name, payload, options, invocations) },
    })
    end.abort()
    this.#statuses.push(status)
    this.#tell(() => `${id} ends ${status} ${error ?? ''} ${cause ?? ''}`)
    if (status === 'SUCCEEDED') await this.#checkRun(id, there)
    return status
  }

  #tablesOfNow(): readonly FamilyTable[] {
    const names = this.#databases.source.tableNames()
    return TABLES.filter(({ name }) => names.includes(name))
  }

  async #checkRun(id: string, there: readonly FamilyTable[]): Promise<void> {
    const detail = await this.#state.run(id)
    const still = new Set(this.#tablesOfNow())
    const due = there.filter((table) => still.has(table))
    this.#watch(() => checkRecords(id, detail?.steps ?? [], due))
  }

  /** A task's delivery, which may come late, twice, or without anybody hearing of its result. */
  async #invoke(
    name: string,
    payload: unknown,
    options: { readonly signal: AbortSignal; readonly timeoutSeconds: number },
    invocations: Set<Invocation>,
  ): Promise<unknown> {
    const { duplicates, late, resultsLost } = this.#scenario
    const chance = (probability: number) => this.#faults.on && this.#random.chance(probability)
    if (chance(duplicates)) {
      const seconds = this.#random.pick([0, 0, 3, 60, 1_000, 4_000, 30_000])
      const again = { ...options, signal: new AbortController().signal }
      void this.#clock
        .sleep(seconds * 1000)
        .then(() => this.#deliver(name, payload, again, new Set(), ' (again)'))
        .catch(() => {})
    }
    if (chance(late)) await this.#clock.sleep(1000 * this.#random.pick([5, 500, 2_000, 30_000]))
    const result = await this.#deliver(name, payload, options, invocations, '')
    if (chance(resultsLost)) throw Object.assign(new Error('the result was lost'), { name: 'Lambda.Unknown' })
    return result
  }

  async #deliver(
    name: string,
    payload: unknown,
    { signal, timeoutSeconds }: { readonly signal: AbortSignal; readonly timeoutSeconds: number },
    invocations: Set<Invocation>,
    note: string,
  ): Promise<unknown> {
    const { run } = payload as ExtractInput
    // What a machine has not delivered when it is lost, it never delivers.
    if (this.#lost.has(run.id)) throw new Error('the machine is lost')
    const label = `${run.id} ${name} ${(payload as ExtractInput).pipeline ?? ''}${note}`
    const deadline = new AbortController()
    const expire = () => deadline.abort(Object.assign(new Error('the deadline passed'), { name: 'TimeoutError' }))
    if (!this.#random.chance(this.#scenario.deaf)) {
      signal.addEventListener('abort', expire, { once: true })
      this.#clock.sleep((timeoutSeconds - 40) * 1000, deadline.signal).then(expire, () => {})
    }
    const skew = this.#random.integer(-this.#scenario.machineSkew, this.#scenario.machineSkew)
    const invocation = new Invocation(label, structuredClone(payload), deadline.signal, skew, this.#clock)
    invocations.add(invocation)
    this.#tell(() => `${label} starts`)
    try {
      const services = this.#services(invocation)
      const handling = this.#faults.current.run(invocation, () => handle(name, invocation.payload, family, services))
      const result = await Promise.race([handling, invocation.exit])
      this.#tell(() => `${label} returns`)
      return result
    } catch (error) {
      this.#tell(() => `${label} throws ${(error as Error).name}: ${(error as Error).message}`)
      if ((error as Error).name !== 'TimeoutError') throw error
      throw Object.assign(new Error('the deadline passed'), { name: 'Transient' })
    } finally {
      invocations.delete(invocation)
      signal.removeEventListener('abort', expire)
      if (!deadline.signal.aborted) deadline.abort()
    }
  }

  #services({ signal, skew }: Invocation): Services {
    return {
      state: this.#state,
      staging: this.#staging,
      signal,
      now: () => this.#clock.now() + skew,
      log: { info: () => {}, warn: () => {} },
      progress: () => {},
      runner: 'simulation',
    }
  }
}
