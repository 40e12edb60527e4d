import { hash } from 'node:crypto'
import { TerminalError } from 'dray/internal/errors.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import {
  type CommitInput,
  type ExtractInput,
  type FinishInput,
  type LoadInput,
  type PlanOutput,
  planningRun,
  type StepOutcome,
} from 'dray/internal/messages/stages.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { migrateTarget } from 'dray/internal/pipeline/landing/migrate.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { setLastRun } from 'dray/internal/pipeline/stages/set-last-run.ts'
import { readJsonArray } from 'dray/internal/staging/documents.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { settleRun } from 'dray-infra/internal/runs/settle-run.ts'
import { execute } from 'dray-infra/internal/states-language/index.ts'
import { VirtualClock } from '#test/states-language/virtual-clock.ts'
import { AskedRuns } from './asked-runs.ts'
import { audit, keyIn } from './audit.ts'
import { mayFail } from './expected-failures.ts'
import { Faults } from './faults.ts'
import { handle } from './handlers.ts'
import { Invocation } from './invocation.ts'
import { MemoryDatabase, type MemoryDatabaseOptions } from './memory-database.ts'
import { MemoryStagingStore } from './memory-staging-store.ts'
import { MemoryStateTable, memoryStateStore } from './memory-state-store.ts'
import { timeText } from './memory-table.ts'
import type { Change } from './memory-transaction.ts'
import {
  afterwards,
  PIPELINE,
  pipelineOf,
  REFUSED,
  simulated,
  source,
  tableOf,
  target,
  targetModels,
  targetTables,
} from './models.ts'
import { Oracle } from './oracle.ts'
import { Random } from './random.ts'
import type { RunPlan, Scenario } from './scenario.ts'
import { SourceWriters } from './source-writers.ts'
import { damaged } from './staged-damage.ts'
import { Divergence, type KnownRun } from './witness.ts'
import { WorldEvents } from './world-events.ts'

const START = Date.parse('2024-03-01T00:00:00Z')
const HOUR = 3_600_000
const { definition, machines } = toStatesLanguage(simulated)

type Ending = Pick<RunPlan, 'endedAfterSeconds' | 'machineLost'>
const UNTROUBLED: Ending = { endedAfterSeconds: null, machineLost: false }

const quietOptions: MemoryDatabaseOptions = { now: () => START, exact: true, check: () => null, onCommit: () => {} }
/** Emptied for each schedule: making the tables anew costs more than a schedule. */
const databases = {
  source: new MemoryDatabase(quietOptions),
  elsewhere: new MemoryDatabase(quietOptions),
  target: new MemoryDatabase(quietOptions),
}

/** What a schedule did. */
export interface ScheduleResult {
  readonly requests: number
  readonly injected: number
  readonly runs: number
  readonly statuses: readonly string[]
}

/** One schedule: runs, writers and faults on virtual time, watched by the oracle. */
export class Simulation {
  readonly scenario: Scenario
  readonly #clock = new VirtualClock(START)
  readonly #random: Random
  readonly #faults: Faults
  /** Before its transform was repaired, and since. */
  readonly #pipelines: { readonly asItWas: Pipeline; readonly repaired: Pipeline }
  readonly #table: MemoryStateTable
  readonly #state: StateStore
  readonly #staging: MemoryStagingStore
  readonly #oracle: Oracle
  readonly #writers: SourceWriters
  readonly #asked: AskedRuns
  readonly #events: WorldEvents
  readonly #pristine = new Map<string, Buffer>()
  readonly #writtenAt = new Map<string, number>()
  readonly #runs = new Map<string, KnownRun>()
  /** When which run committed. */
  readonly #commits: { readonly run: string; readonly at: number }[] = []
  readonly #statuses: string[] = []
  /** Runs that ended without their Finish. */
  readonly #lost = new Set<string>()
  /** Who took which epoch. */
  readonly #epochs = new Map<number, string>()
  readonly #finished = new Set<string>()
  readonly #landings = new Set<string>()
  readonly #crashed = new Set<string>()
  readonly #alive = new Map<string, number>()
  readonly #trace: ((line: string) => void) | null
  /** Whose plan a run goes by. */
  readonly #planners = new Map<string, string>()
  #lastRun: string | null = null
  /** What was thrown last, of which the outcome of a step may say the beginning only. */
  #thrown = ''
  #divergence: Error | null = null
  #damaged = 0
  #calls = 0

  constructor(scenario: Scenario, trace: ((line: string) => void) | null = null) {
    this.scenario = scenario
    this.#trace = trace
    this.#random = new Random(scenario.seed + 1_000_000_007)
    const tell = (text: () => string) => this.#tell(text)
    this.#faults = new Faults(scenario.faults, this.#random.fork(), this.#clock, tell)
    this.#pipelines = { asItWas: pipelineOf(scenario.shape, false), repaired: pipelineOf(scenario.shape, true) }
    this.#table = new MemoryStateTable(this.#faults.io)
    this.#state = memoryStateStore(this.#table)
    this.#staging = new MemoryStagingStore(this.#faults.io)
    this.#writers = new SourceWriters(scenario, this.#random.fork(), this.#clock, databases.source)
    this.#asked = new AskedRuns(this.#random.fork(), this.#state, this.#writers, START + scenario.sourceSkew)
    this.#oracle = new Oracle({
      scenario,
      now: () => this.#clock.now(),
      targetRows: () => databases.target.rows(tableOf(scenario.shape)),
      pristine: (key) => this.#pristine.get(key) ?? Buffer.alloc(0),
      documents: (key) => this.#linesOf(key),
      quarantined: () => this.#quarantined(),
      fence: () =>
        databases.target.rows('dray_fence').find(({ pipeline }) => pipeline === PIPELINE)?.epoch ?? undefined,
      lastRun: () => this.#lastRun,
      targetChangedAt: () => this.#events.targetChangedAt,
      rivalSince: () => this.#events.rivalSince,
      others: () => this.#events.others.known,
      isStateLost: () => this.#events.isStateLost,
      run: (id) => this.#runs.get(id) as KnownRun,
    })
    this.#events = new WorldEvents({
      scenario,
      clock: this.#clock,
      start: START,
      random: this.#random.fork(),
      databases,
      state: this.#table,
      oracle: this.#oracle,
      writers: this.#writers,
      landings: this.#landings,
      tell,
      watch: (check) => this.#watch(check),
      refusal: (message) => new TerminalError(message),
    })
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
    await this.#connect()
    const beside = [this.#writers.run(), this.#events.run()]
    await Promise.all(this.scenario.runs.map((each, index) => this.#laterRun(`run-${index + 1}`, each)))
    await Promise.all(beside)
    this.#faults.on = false
    await this.#settleLost()
    if (this.scenario.shape.nulls === 'error') this.#writers.stampMissing()
    this.#writers.restore()
    await this.#events.settle()
    await this.#goOn()
    await this.#repeatToSuccess()
    await this.#replayRest()
    // Whatever was stalled, delayed or doubled comes out of its hole after everybody else has gone home.
    await this.#clock.sleep(48 * HOUR)
    await this.#settleLost()
    this.#raise()
    this.#watch(() => this.#oracle.ended())
    await this.#checkNothingHeld()
    if (this.scenario.world.audits) await this.#audit()
    this.#raise()
    const { requests, injected } = this.#faults
    return { requests, injected, runs: this.#runs.size, statuses: this.#statuses }
  }

  async #connect(): Promise<void> {
    const check: MemoryDatabaseOptions['check'] = (_table, row) =>
      row.label === REFUSED ? { column: 'label', message: 'refused by a constraint' } : null
    const { exact } = this.scenario
    // Whole seconds, so that equal stamps and stamps at the border of a window are common.
    const now = () => Math.floor(this.#sourceNow() / 1000) * 1000
    const opened = (connection: Parameters<Invocation['connected']>[0]) =>
      this.#faults.current.getStore()?.connected(connection)
    source.connect(() => this.#boundSource(), this.#faults.io, opened)
    target.connect(databases.target, this.#faults.io, opened)
    await createTables()
    databases.source.reset({
      now,
      exact,
      check: () => null,
      onCommit: (changes) => this.#sourceCommitted(changes),
      ...this.#events.sourceOptions(now),
    })
    databases.target.reset({
      now,
      exact,
      check,
      onCommit: (changes) => this.#targetCommitted(changes),
      ...(this.scenario.world.trigger === null
        ? {}
        : { drops: (table, row, isDeleted) => this.#events.drops(table, row, isDeleted) }),
    })
    if (this.scenario.world.elsewhere !== null)
      databases.elsewhere.reset({ now, exact, check: () => null, onCommit: () => {}, identity: 'another server' })
    this.#table.onWrite = (before, after) => this.#stateWritten(before, after)
    this.#staging.onWrite = (key, bytes) => {
      this.#pristine.set(key, bytes)
      this.#writtenAt.set(key, this.#clock.now())
    }
    this.#staging.beforeRead = ({ key }) => this.#maybeDamage(key)
    this.#writers.begin()
    this.#events.others.begin()
  }

  /** What the database of the source is for whoever asks. */
  #boundSource(): MemoryDatabase {
    const payload = this.#faults.current.getStore()?.payload as ExtractInput | undefined
    const isElsewhere = payload !== undefined && this.#runs.get(payload.run.id)?.isElsewhere === true
    return isElsewhere ? databases.elsewhere : databases.source
  }

  /** A copy of the source that has gone its own way. */
  #fillElsewhere(): void {
    const changedAt = timeText(Math.floor(this.#sourceNow() / 1000) * 1000)
    const rows = databases.source.rows('item').slice(1)
    databases.elsewhere.restore(
      new Map([['item', rows.map((row) => ({ ...row, label: 'other', changed_at: changedAt }))]]),
    )
  }

  #sourceNow(): number {
    const { sourceSkew, sourceStepsBack: step } = this.scenario
    const back = step !== null && this.#clock.now() >= START + step.afterSeconds * 1000 ? step.seconds * 1000 : 0
    return this.#clock.now() + sourceSkew - back
  }

  #tell(text: () => string): void {
    if (this.#trace === null) return
    const seconds = ((this.#clock.now() - START) / 1000).toFixed(0).padStart(7)
    this.#trace(`${seconds} s  ${text()}`)
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

  #sourceCommitted(changes: readonly Change[]): void {
    this.#tell(() => `source commits ${changes.map(({ after }) => JSON.stringify(after)).join(' ')}`)
    this.#watch(() => this.#oracle.sourceChanged(changes))
  }

  #targetCommitted(all: readonly Change[]): void {
    // That Dray's own tables were migrated tells nothing of rows.
    const changes = all.filter(({ table }) => table !== 'dray_migration')
    if (changes.length === 0) return
    const invocation = this.#faults.current.getStore()
    const payload = (invocation?.payload ?? null) as LoadInput | null
    const written = changes.filter(({ table }) => table !== 'dray_fence')
    if (written.length > 0)
      this.#tell(
        () =>
          `target commits ${written.map(({ table, before, after }) => `${table} ${JSON.stringify(after ?? { gone: before })}`).join(' ')}`,
      )
    if (payload?.partition !== undefined) this.#landings.add(`${planningRun(payload)} ${payload.partition}`)
    this.#watch(() => this.#oracle.targetChanged(payload, changes, invocation?.startedAt ?? 0))
  }

  #stateWritten(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): void {
    if (after.pipeline !== PIPELINE) return
    this.#epochs.set(Number(after.epoch), String(after.lease_owner ?? this.#epochs.get(Number(after.epoch))))
    this.#watch(() => this.#checkTakeover(before, after))
    if (after.version === before.version || after.version === 0) return
    const [from, to] = [(before.last_run as string) ?? null, (after.last_run as string) ?? null]
    this.#tell(() => `last_run goes from ${from} to ${to}`)
    this.#lastRun = to
    this.#commits.push({ run: String(after.commit_owner), at: this.#clock.now() })
    const payload = this.#faults.current.getStore()?.payload as CommitInput | undefined
    if (payload !== undefined) this.#watch(() => this.#oracle.committed(payload, from, to))
  }

  /** A lease that has not expired on anybody's clock is not taken from its owner. */
  #checkTakeover(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): void {
    const [from, to] = [before.lease_owner, after.lease_owner]
    if (after.pending === true && !this.#events.isStateLost && this.#shouldHaveGivenBack(String(to))) {
      throw new Divergence(`a run is refused since ${to}, which has ended, still has the lease`)
    }
    if (from === undefined || to === undefined || from === to) return
    const left = Number(before.lease_expires_at) - this.#clock.now() - this.scenario.machineSkew
    if (left > 0) throw new Divergence(`${to} took the lease of ${from}, which it had for ${left} ms more`)
  }

  #maybeDamage(key: string): void {
    if (!this.#faults.on || !this.#random.chance(this.scenario.damage)) return
    // The quarantine is read by its keys, with no reference to hold an object against.
    if (key.startsWith('quarantine')) return
    const bytes = this.#staging.objects.get(key)
    if (bytes === undefined) return
    this.#damaged += 1
    const result = damaged(bytes, key, this.#staging.objects, this.#random)
    this.#tell(() => `${key} is damaged: ${result.how}`)
    if (result.bytes === null) this.#staging.objects.delete(key)
    else this.#staging.objects.set(key, result.bytes)
  }

  /**
   * Rows that lie in the quarantine, but for those that a run has closed; or only those that are open, whatever has
   * closed the others. `before` leaves out what was quarantined later.
   */
  #quarantined(which: 'kept' | 'open' = 'kept', before = Number.POSITIVE_INFINITY): QuarantinedRow[] {
    const keys = [...this.#pristine.keys()].filter(
      (key) =>
        key.startsWith('quarantine/') && this.#staging.objects.has(key) && (this.#writtenAt.get(key) ?? 0) < before,
    )
    const closed = this.#closed(which)
    return keys.flatMap((key) => {
      const times = new Map<string, number>()
      return this.#linesOf<QuarantinedRow>(key).filter(({ pipeline, run, partition, step, row }) => {
        const content = JSON.stringify([pipeline, run, partition, step, Object.entries(row)])
        const time = (times.get(content) ?? 0) + 1
        times.set(content, time)
        return closed.size === 0 || !closed.has(hash('sha256', `${content} ${time}`).slice(0, 16))
      })
    })
  }

  /** Entries that a run has closed since their keys have landed, or since it has quarantined them again. */
  #closed(which: 'kept' | 'open'): ReadonlySet<string> {
    const logs = [...this.#pristine.keys()].filter((key) => key.startsWith('quarantine-log/'))
    const records = logs.flatMap((key) => this.#linesOf<{ readonly id: string; readonly action: string }>(key))
    const isClosing = (action: string) => which === 'open' || action === 'landed' || action === 'superseded'
    return new Set(records.filter(({ action }) => isClosing(action)).map(({ id }) => id))
  }

  #linesOf<T>(key: string): T[] {
    const [, ...lines] = (this.#pristine.get(key) as Buffer).toString('utf8').trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line) as T)
  }

  async #laterRun(id: string, planned: RunPlan): Promise<void> {
    await this.#clock.sleep(planned.startSeconds * 1000)
    if (this.#random.chance(0.5)) await this.#settleLost()
    await this.#execute(id, planned, await this.#asked.mode(planned.mode, [...this.#runs.keys()]))
  }

  /** Where runs are resumed, the last one that failed may be. */
  async #goOn(): Promise<void> {
    if (!this.scenario.runs.some(({ mode }) => mode === 'resume') || this.#random.chance(0.5)) return
    const mode = await this.#asked.mode('resume', [...this.#runs.keys()])
    if (mode !== null) await this.#execute('resumed', UNTROUBLED, mode)
  }

  /** What was set aside before the transform was repaired is sent again. */
  async #replayRest(): Promise<void> {
    const { repairedAfterSeconds, shape } = this.scenario
    if (repairedAfterSeconds === null || shape.load === 'replace') return
    const status = await this.#execute('replayed', UNTROUBLED, { replay: {} })
    if (status !== 'SUCCEEDED') throw new Divergence(`a replay without any fault ended ${status}`)
  }

  /**
   * What a runner, or the janitor, does first: ends the runs that nobody ends. Where it does not, their leases expire.
   */
  async #settleLost(): Promise<void> {
    for (const id of this.#lost) await settleRun(this.#state, id, { reason: 'the machine was lost' }, this.#clock.now())
  }

  /** Once nothing goes wrong any more, the run is repeated until everything that was written has been read. */
  async #repeatToSuccess(): Promise<void> {
    const settled = this.#sourceNow()
    for (let attempt = 1; attempt <= 40; attempt++) {
      const started = this.#clock.now()
      const status = await this.#execute(`again-${attempt}`, UNTROUBLED, null)
      this.#raise()
      if (status !== 'SUCCEEDED') await this.#remedy()
      const read = this.#lastRun === null ? 0 : Date.parse(`${this.#lastRun.replace(' ', 'T')}Z`)
      if (status === 'SUCCEEDED' && (this.scenario.shape.kind === 'full' || read > settled)) {
        this.#watch(() => this.#oracle.checkOpen(this.#quarantined('open', started)))
        return
      }
      await this.#clock.sleep(HOUR / 2)
    }
    throw new Divergence(`40 runs without any fault have not read everything; the last ended ${this.#statuses.at(-1)}`)
  }

  /** Does what the message of a run that was refused says. */
  async #remedy(): Promise<void> {
    const [, verb, moment] =
      /an append (?:from last_run )?would .*?`npx dray state (reset|set) \S+(?: '([^']+)')? --yes`/.exec(
        this.#thrown,
      ) ?? []
    if (verb === undefined) return
    this.#tell(() => `state ${verb} ${moment ?? ''}`)
    if (this.#thrown.includes('delete all rows')) await target.query('delete from "event"')
    const lastRun = moment ?? null
    await setLastRun(this.#pipelines.asItWas, lastRun, { state: this.#state, now: () => this.#clock.now() })
    this.#events.remediedAt = this.#clock.now()
  }

  /** What is done now is nobody's run: the oracle has seen all that it had to. */
  async #audit(): Promise<void> {
    databases.target.options.onCommit = () => {}
    this.#table.onWrite = () => {}
    const isByCode = this.scenario.shape.table !== undefined
    await audit({
      scenario: this.scenario,
      pipeline: this.scenario.repairedAfterSeconds === null ? this.#pipelines.asItWas : this.#pipelines.repaired,
      services: this.#services(new AbortController().signal, 0),
      source: databases.source,
      target: databases.target,
      random: this.#random,
      open: new Set(
        this.#quarantined('open').flatMap(({ row }) => (isByCode || row.id !== null ? [keyIn(row, isByCode)] : [])),
      ),
      lastRun: () => this.#lastRun,
    })
  }

  async #checkNothingHeld(): Promise<void> {
    const state = await this.#state.pipeline(PIPELINE)
    // A Plan that comes late cannot know that its run has ended once its record is lost.
    if (!this.#events.isStateLost && state?.leaseOwner !== null) {
      throw new Divergence(`everything has ended, and ${state?.leaseOwner} holds the lease`)
    }
    const open = databases.source.openTransactions + databases.target.openTransactions + databases.target.locks.size
    if (open > 0) throw new Divergence(`everything has ended, and ${open} transactions and locks are held`)
  }

  /** One execution of the compiled definition. */
  async #execute(id: string, { endedAfterSeconds, machineLost }: Ending, mode: RunMode | null): Promise<string> {
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
    const repaired = this.scenario.repairedAfterSeconds
    const isElsewhere = this.#lastRun !== null && this.#events.isElsewhere
    if (isElsewhere) this.#fillElsewhere()
    this.#runs.set(id, {
      id,
      startedAt: this.#clock.now(),
      ...(await this.#asked.original(mode)),
      isElsewhere,
      isRepaired: repaired !== null && (!this.#faults.on || this.#clock.now() >= START + repaired * 1000),
    })
    this.#tell(() => `${id} starts ${mode === null ? '' : JSON.stringify(mode)}`)
    let outcomes: Readonly<Record<string, StepOutcome>> = {}
    const { status, error } = await execute(definition, mode === null ? {} : { mode }, {
      clock: this.#clock,
      executionName: id,
      machines,
      random: () => this.#random.fraction(),
      signal: controller.signal,
      readItems: ({ key }) => readJsonArray(this.#staging, key),
      executor: {
        invoke: (name, payload, options) => {
          if (name === 'DrayFinish') outcomes = (payload as FinishInput).steps
          return this.#invoke(name, payload, options, invocations)
        },
      },
    })
    end.abort()
    this.#statuses.push(status)
    if (status === 'SUCCEEDED' || error === 'WorkflowFailed') this.#finished.add(id)
    this.#tell(() => `${id} ends ${status} ${JSON.stringify(outcomes)}`)
    if (status !== 'ABORTED') await this.#checkOutcome(id, status, outcomes)
    return status
  }

  async #checkOutcome(id: string, status: string, outcomes: Readonly<Record<string, StepOutcome>>): Promise<void> {
    const detail = await this.#state.run(id)
    const step = (name: string) => detail?.steps.find((each) => each.step === name)
    this.#watch(() => {
      const isRecordLost = this.#events.stateLostAt >= (this.#runs.get(id)?.startedAt ?? 0)
      if (status === 'SUCCEEDED' && !isRecordLost)
        this.#oracle.recorded(id, this.#planners.get(id) ?? id, step(PIPELINE) as never)
      const own = outcomes[PIPELINE]
      if (own?.status !== 'success' && step(afterwards.name)?.status === 'success') {
        throw new Divergence(`${id}: ${afterwards.name} ran although ${PIPELINE} ${own?.status}`)
      }
      if (own !== undefined && own.status !== 'success' && !isRecordLost) {
        // What a workflow's machine is told is cut; the record may be of a Plan that came late.
        const reasons = [own.reason, step(PIPELINE)?.error].filter((reason) => typeof reason === 'string')
        if (reasons.length === 0) throw new Divergence(`${id}: ${PIPELINE} ${own.status}, and nothing says why`)
        if (!reasons.some((reason) => this.#mayFail(id, reason)))
          throw new Divergence(`${id}: ${PIPELINE} failed without need: ${reasons.join(' / ')}`)
      }
    })
  }

  #mayFail(run: string, reason: string): boolean {
    return mayFail(run, reason, {
      scenario: this.scenario,
      injected: this.#faults.injected,
      damaged: this.#damaged,
      ownerOf: (epoch) => this.#epochs.get(epoch),
      hasCommittedSince: (other) =>
        this.#commits.some((commit) => commit.run !== other && commit.at >= (this.#runs.get(other)?.startedAt ?? 0)),
      events: this.#events,
      startedAt: this.#runs.get(run)?.startedAt ?? 0,
      isElsewhere: this.#runs.get(run)?.isElsewhere === true,
    })
  }

  /** A run that has ended by its Finish, and of which nothing is on its way any more, holds nothing. */
  #shouldHaveGivenBack(run: string): boolean {
    return this.#finished.has(run) && !this.#crashed.has(run) && (this.#alive.get(run) ?? 0) === 0
  }

  /** A task's delivery, which may come late, twice, or without anybody hearing of its result. */
  async #invoke(
    name: string,
    payload: unknown,
    options: { readonly signal: AbortSignal; readonly timeoutSeconds: number },
    invocations: Set<Invocation>,
  ): Promise<unknown> {
    const { duplicates, late, resultsLost } = this.scenario
    const chance = (probability: number) => this.#faults.on && this.#random.chance(probability)
    const { id } = (payload as ExtractInput).run
    const alive = (change: number) => this.#alive.set(id, (this.#alive.get(id) ?? 0) + change)
    if (chance(duplicates)) {
      const seconds = this.#random.pick([0, 0, 3, 60, 1_000, 4_000, 30_000])
      alive(1)
      void this.#clock
        .sleep(seconds * 1000)
        .then(() =>
          this.#deliver(name, payload, { ...options, signal: new AbortController().signal }, new Set(), ' (again)'),
        )
        .catch(() => {})
        .finally(() => alive(-1))
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
    const { run, partition } = payload as ExtractInput
    // What a machine has not delivered when it is lost, it never delivers.
    if (this.#lost.has(run.id)) throw new Error('the machine is lost')
    const label = `${run.id} ${name}${partition === undefined ? '' : ` ${partition}`} ~${++this.#calls}${note}`
    const deadline = new AbortController()
    const expire = () => deadline.abort(Object.assign(new Error('the deadline passed'), { name: 'TimeoutError' }))
    const hears = !this.#random.chance(this.scenario.deaf)
    if (hears) {
      signal.addEventListener('abort', expire, { once: true })
      this.#clock.sleep((timeoutSeconds - 40) * 1000, deadline.signal).then(expire, () => {})
    }
    const skew = this.#random.integer(-this.scenario.machineSkew, this.scenario.machineSkew)
    const invocation = new Invocation(label, structuredClone(payload), deadline.signal, skew, this.#clock)
    invocations.add(invocation)
    const planning = planningRun(payload as ExtractInput)
    const hasLanded = this.#landings.has(`${planning} ${partition}`)
    const landed = new Set(this.#landings)
    const { changes } = this.#events
    const alive = (change: number) => this.#alive.set(run.id, (this.#alive.get(run.id) ?? 0) + change)
    alive(1)
    invocation.exit.catch(() => this.#crashed.add(run.id))
    this.#tell(() => `${label} starts`)
    try {
      const handling = this.#faults.current.run(invocation, () => this.#handle(name, invocation))
      const result = await Promise.race([handling, invocation.exit])
      if (name === 'DrayPlan' && changes === this.#events.changes)
        this.#watch(() => this.#checkPlan(run.id, result as PlanOutput, landed))
      this.#tell(() => `${label} returns`)
      return result
    } catch (error) {
      this.#tell(() => `${label} throws ${(error as Error).name}: ${(error as Error).message}`)
      this.#thrown = (error as Error).message
      if (
        hasLanded &&
        changes === this.#events.changes &&
        (error as Error).message.includes('has landed by another delivery')
      ) {
        this.#watch(() => {
          throw new Divergence(`${label} did work that had been done when it started`)
        })
      }
      // A late Plan that cannot give its lease back, and that nobody tries again.
      if (name === 'DrayPlan' && (error as Error).name === 'Transient') this.#crashed.add(run.id)
      if ((error as Error).name !== 'TimeoutError') throw error
      throw Object.assign(new Error('the deadline passed'), { name: 'Transient' })
    } finally {
      invocations.delete(invocation)
      alive(-1)
      signal.removeEventListener('abort', expire)
      if (!deadline.signal.aborted) deadline.abort()
    }
  }

  /**
   * Nothing that had landed when Plan was called is planned once more; and what a run goes on with is what it was asked
   * to.
   */
  #checkPlan(run: string, { partitions, planned_by: planner }: PlanOutput, landed: ReadonlySet<string>): void {
    this.#planners.set(run, planner)
    const again = partitions.find(({ partition }) => landed.has(`${planner} ${partition}`))
    // A second delivery of Plan says the same as the first.
    if (planner !== run && again !== undefined)
      throw new Divergence(`${run} plans partition ${again.partition} of ${planner} again, which had landed`)
    const known = this.#runs.get(run)
    const resumed = known?.resumes.find((id) => [...landed].some((landing) => landing.startsWith(`${id} `)))
    // What a replace has gathered may have made way for another run's rows: then it begins anew.
    const isKept = this.scenario.shape.load !== 'replace'
    if (isKept && resumed !== undefined && planner === run && partitions.length > 0)
      throw new Divergence(`${run} has made a plan of its own, although partitions of ${resumed} had landed`)
  }

  #services(signal: AbortSignal, skew: number): Services {
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

  #handle(name: string, { payload, signal, skew }: Invocation): Promise<unknown> {
    const services = this.#services(signal, skew)
    const { asItWas, repaired } = this.#pipelines
    const isRepaired = this.#runs.get((payload as ExtractInput).run.id)?.isRepaired === true
    return handle(name, payload, isRepaired ? repaired : asItWas, services)
  }
}

/** The source's table has no key in the database: rows may lack a part of it. */
async function createTables(): Promise<void> {
  for (const database of [databases.source, databases.elsewhere]) {
    const transaction = database.begin()
    database.execute(
      transaction,
      'create table if not exists "item" ("region" bigint, "id" bigint, "code" text not null, "label" text, "changed_at" timestamptz)',
    )
    database.commit(transaction)
  }
  for (const model of targetModels) await model.createTable({ ifMissing: true })
  for (const table of targetTables) await target.query(table)
  // The first Plan of a schedule finds Dray's own tables without a version, and nothing that a migration has to change.
  await migrateTarget(target)
}
