import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import { quarantinePrefix } from 'dray/internal/staging/keys.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import { createStateClient } from 'dray/internal/state/dynamodb-state-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { settleDeadRuns } from 'dray-infra/internal/runs/settle-run.ts'
import { createStateTable } from '#test/services/create-state-table.ts'
import { type Child, startChild } from './children.ts'
import { connect, STATE_TABLE } from './connect.ts'
import { type Observer, observe } from './engines.ts'
import { openTransactions, sessionsOf, strayTables, untilBlocked } from './left-behind.ts'
import { PIPELINE, type PipelineShape, pipelineAt } from './models.ts'
import { badRows, createTables, dueRows, landedRows, possibleRows } from './rows.ts'
import { type Ended, type RunHere, runHere } from './run-here.ts'

/** The promise was broken. */
export class Divergence extends Error {
  override readonly name = 'Divergence'
}

export interface LaneOptions {
  /** Part of the names of its databases. */
  readonly place: string
  readonly sourceUrl: string
  readonly targetUrl: string
  readonly shape?: PipelineShape
  /** URLs of the adapters where they go through a proxy; the observers go straight to the servers. */
  readonly through?: { readonly sourceUrl?: string; readonly targetUrl?: string }
  /** Where objects are staged; a folder of its own by default. */
  readonly staging?: string
}

/**
 * Two databases, a state table and a staging folder with one pipeline between them; and the oracle that looks at all of
 * them.
 */
export class Lane {
  readonly state: StateStore
  readonly staging: StagingStore
  source: Observer
  target: Observer
  readonly #options: LaneOptions
  readonly #endpoint: string
  readonly #folder: string
  readonly #close: () => Promise<void>
  readonly pipeline: ReturnType<typeof pipelineAt>
  #runs = 0

  static async open(options: LaneOptions): Promise<Lane> {
    const { place, through } = options
    process.env[urlVariable(`${place}-source`)] = through?.sourceUrl ?? options.sourceUrl
    process.env[urlVariable(`${place}-target`)] = through?.targetUrl ?? options.targetUrl
    const folder = options.staging ?? (await mkdtemp(join(tmpdir(), 'dray-kill-')))
    const dynamodb = await startDynamoDb({})
    const admin = createStateClient({ endpoint: dynamodb.endpoint })
    await createStateTable(admin, STATE_TABLE)
    admin.destroy()
    const source = await observe(options.sourceUrl)
    const target = await observe(options.targetUrl)
    await createTables(source, target)
    return new Lane(options, dynamodb, folder, source, target)
  }

  private constructor(
    options: LaneOptions,
    dynamodb: Awaited<ReturnType<typeof startDynamoDb>>,
    folder: string,
    source: Observer,
    target: Observer,
  ) {
    const { state, staging, close } = connect(dynamodb.endpoint, folder)
    this.state = state
    this.staging = staging
    this.source = source
    this.target = target
    this.#options = options
    this.#endpoint = dynamodb.endpoint
    this.#folder = folder
    this.pipeline = pipelineAt(options.place, options.shape)
    this.#close = async () => {
      await Promise.all([this.pipeline.source.close(), this.pipeline.target.close()])
      await Promise.all([this.source.end(), this.target.end()])
      close()
      await dynamodb.stop()
      if (options.staging === undefined) await rm(folder, { recursive: true, force: true })
    }
  }

  close(): Promise<void> {
    return this.#close()
  }

  /** The observers' own sessions went with their server. */
  async observeAnew(): Promise<void> {
    await Promise.all([this.source.end(), this.target.end()])
    this.source = await observe(this.#options.sourceUrl)
    this.target = await observe(this.#options.targetUrl)
  }

  /** A session of its own at the target. */
  observeTarget(): Promise<Observer> {
    return observe(this.#options.targetUrl)
  }

  nextRunId(): string {
    this.#runs += 1
    return `run-${this.#runs}`
  }

  /** A process that is ready for a separate run. */
  child(
    options: {
      /** The number of the point at which it is killed, counted from the first one that meets a pattern. */
      readonly crashAt?: number | null
      readonly crashFrom?: string
      readonly pauseAt?: readonly string[]
      readonly shape?: PipelineShape
    } = {},
  ): Child {
    const { place, shape = {} } = this.#options
    const runId = this.nextRunId()
    return startChild({ place, runId, shape, ...options, state: this.#endpoint, staging: this.#folder })
  }

  /** The pipeline with another shape on the same databases. */
  pipelineOf(shape: PipelineShape): RunHere['pipeline'] {
    return pipelineAt(this.#options.place, { ...this.#options.shape, ...shape }).items
  }

  /** A run in this process. */
  run(options: Partial<RunHere> = {}): Promise<Ended> {
    const { state, staging } = this
    const { items: pipeline, tasks } = this.pipeline
    return runHere({ runId: this.nextRunId(), pipeline, tasks, state, staging, ...options })
  }

  /** What `dray run` does first. */
  settle(): Promise<string[]> {
    return settleDeadRuns(this.state)
  }

  /** The next run is the first one again. */
  forget(): Promise<void> {
    return this.state.setLastRun(PIPELINE, null, Date.now())
  }

  /** Sessions on either side, but for the observers' own. */
  async sessions(): Promise<ReadonlySet<string>> {
    const each = await Promise.all([sessionsOf(this.source), sessionsOf(this.target)])
    return new Set(each.flat())
  }

  /** Resolves when none of the sessions is left: a server notices by itself that a client is gone. */
  async untilGone(sessions: Iterable<string>): Promise<void> {
    let left = [...sessions]
    for (const patience = Date.now() + 20_000; left.length > 0; await delay(10)) {
      const all = await this.sessions()
      left = left.filter((session) => all.has(session))
      if (Date.now() > patience) {
        throw new Divergence(`sessions ${left.join(', ')} were still there 20 s after their process had ended`)
      }
    }
  }

  /** Until a session at the target waits for a lock that another one holds. */
  untilBlocked(): Promise<void> {
    return untilBlocked(this.target)
  }

  async lastRun(pipeline = PIPELINE): Promise<string | null> {
    return (await this.state.pipeline(pipeline))?.lastRun ?? null
  }

  /** Runs until the window has passed the stamp; without any fault each run must succeed. */
  async recover(stamp: string): Promise<void> {
    for (let attempt = 1; attempt <= 10; attempt++) {
      const { status, reasons } = await this.run()
      if (status !== 'SUCCEEDED') throw new Divergence(`the run after the fault failed: ${reasons.join('; ')}`)
      await this.checkQuarantineOfLastCommit()
      if (((await this.lastRun()) ?? '') > stamp) return
    }
    throw new Divergence(`ten runs without a fault have not come past ${stamp}; last_run is ${await this.lastRun()}`)
  }

  /**
   * After a fault, before anything is done about it: whatever lies before `last_run` has landed. `before` are the
   * target's rows of the last check; where `last_run` has moved since, they are not enough.
   */
  async checkNotPassed(before: ReadonlyMap<string, string>, hasMoved: boolean): Promise<void> {
    const lastRun = await this.lastRun()
    const landed = await landedRows(this.target)
    const latest = new Map((await dueRows(this.source, null)).map(({ code, digest }) => [code, digest]))
    for (const { code, digest } of lastRun === null ? [] : await dueRows(this.source, lastRun)) {
      const found = landed.get(code)
      const isOld = !hasMoved && found === before.get(code)
      if (found === undefined || (found !== digest && found !== latest.get(code) && !isOld)) {
        throw new Divergence(
          `last_run is ${lastRun}, and ${code} is ${found} in the target where the source has ${digest}`,
        )
      }
    }
    const possible = await possibleRows(this.source)
    for (const [code, found] of landed) {
      if (!possible.get(code)?.has(found) && found !== before.get(code)) {
        throw new Divergence(`${code} is ${found} in the target, which the source never had`)
      }
    }
  }

  /** Everything has been read: target and quarantine are the source. Returns the target's digests. */
  async check(): Promise<Map<string, string>> {
    const landed = await this.checkRows()
    await this.checkNothingLeft()
    return landed
  }

  /** As `check`, while another process is still there. */
  async checkRows(): Promise<Map<string, string>> {
    const [landed, due] = [await landedRows(this.target), await dueRows(this.source, null)]
    const differences = due.filter(({ code, digest }) => landed.get(code) !== digest)
    if (differences.length > 0 || landed.size !== due.length) {
      const [first] = differences
      throw new Divergence(
        `${differences.length} of ${due.length} rows differ (the target has ${landed.size}); ${first?.code}: ${landed.get(first?.code ?? '')} where the source has ${first?.digest}`,
      )
    }
    return landed
  }

  /** The quarantine of the last run that committed holds the bad rows of its window, each once. */
  async checkQuarantineOfLastCommit(): Promise<void> {
    const owner = (await this.state.pipeline(PIPELINE))?.commitOwner ?? ''
    const step = (await this.state.run(owner))?.steps.find(({ step }) => step === PIPELINE)
    if (step === undefined || step.lastRunAfter === null)
      throw new Divergence(`run ${owner} committed without a record`)
    const bad = await badRows(this.source, step.lastRunBefore, step.lastRunAfter)
    const planner = step.quarantine?.split('/').at(-1) ?? owner
    const kept = (await this.#quarantined(planner)).map(digestOfKept)
    const found = new Map(kept)
    // Two runs that have worked on one plan may both have set a row aside.
    const times = planner === owner ? kept.length : found.size
    if (times !== bad.size || step.quarantined !== bad.size) {
      throw new Divergence(
        `${owner}: ${kept.length} rows are in the quarantine, ${step.quarantined} are counted, ${bad.size} are bad in the source`,
      )
    }
    for (const [id, digest] of bad) {
      if (found.get(id) !== digest)
        throw new Divergence(`${owner}: row ${id} is ${found.get(id)} in the quarantine, ${digest} in the source`)
    }
  }

  async #quarantined(run: string): Promise<QuarantinedRow[]> {
    const keys = await this.staging.list(quarantinePrefix(run, PIPELINE))
    const texts = await Promise.all(keys.map((key) => readFile(this.staging.locate(key), 'utf8')))
    return texts.flatMap((text) =>
      text
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => JSON.parse(line) as QuarantinedRow),
    )
  }

  /**
   * No lease, no open run, no table beside the documented ones, no transaction, no half-written object that could be
   * read.
   */
  async checkNothingLeft(): Promise<void> {
    for (const { pipeline } of [{ pipeline: PIPELINE }, ...(await this.state.pipelines())]) {
      const owner = (await this.state.pipeline(pipeline))?.leaseOwner
      if (owner) throw new Divergence(`everything has ended, and ${owner} holds the lease of ${pipeline}`)
    }
    const running = await this.state.runs({ status: 'running', limit: 10 })
    if (running.length > 0) throw new Divergence(`everything has ended, and ${running[0]?.id} is still running`)
    for (const observer of [this.source, this.target]) {
      const tables = await strayTables(observer)
      if (tables.length > 0) throw new Divergence(`tables were left behind: ${tables.join(', ')}`)
      const open = await openTransactions(observer)
      if (open > 0) throw new Divergence(`${open} transactions were left open on ${observer.engine}`)
    }
    for (const name of await readdir(this.#folder)) {
      if (!/^(runs|quarantine|quarantine-log|findings)$/.test(name)) throw new Divergence(`${name} was left in staging`)
    }
  }

  /** Objects of which only a part was written: a reader never sees them. */
  async partialObjects(): Promise<string[]> {
    const files = await readdir(this.#folder, { recursive: true })
    return files.filter((file) => file.endsWith('.partial'))
  }
}

function digestOfKept({ row }: QuarantinedRow): [string, string] {
  const { id, code, label, amount, note, changed_at: changedAt } = row
  const text = [id, code, label ?? '~', amount, note ?? '~', changedAt].join('|')
  return [id as string, createHash('sha256').update(text).digest('hex')]
}
