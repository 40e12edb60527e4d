import { type CommitInput, type LoadInput, planningRun } from 'dray/internal/messages/stages.ts'
import type { Plan } from 'dray/internal/pipeline/plan/staged-plan.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import type { Change, Row } from './memory-transaction.ts'
import { LABELS, PIPELINE, tableOf } from './models.ts'
import { ClosingOracle, isGivenBack, isTakenAway } from './oracle-closing.ts'
import { ContentOracle } from './oracle-content.ts'
import { HistoryOracle, isNext } from './oracle-history.ts'
import { type Counts, LandingOracle, NONE } from './oracle-landing.ts'
import { SourceTruth, shown, type Version } from './source-truth.ts'
import { FAR } from './source-writers.ts'
import { Divergence, type KnownRun, type Witness } from './witness.ts'

/** What the oracle knew of a target. */
export type Memory = Readonly<Record<'landings' | 'closings', unknown>>

/** Follows the source's commits and the target's, and compares; it shares no code with the pipeline. */
export class Oracle {
  readonly #witness: Witness
  readonly #truth = new SourceTruth()
  readonly #content: ContentOracle
  readonly #landing: LandingOracle
  readonly #closing: ClosingOracle
  readonly #histories: HistoryOracle
  /** What a run had landed, and deleted, when it committed. */
  readonly #committed = new Map<string, { readonly counts: Counts | null; readonly deleted: number }>()

  constructor(witness: Witness) {
    this.#witness = witness
    this.#content = new ContentOracle(witness, this.#truth)
    this.#landing = new LandingOracle(witness, this.#truth, this.#content)
    this.#closing = new ClosingOracle(witness, this.#truth)
    this.#histories = new HistoryOracle(witness, this.#truth)
  }

  get #incremental(): boolean {
    return this.#witness.scenario.shape.kind === 'incremental'
  }

  /** The source has committed. */
  sourceChanged(changes: readonly Change[]): void {
    const lastRun = this.#witness.lastRun()
    for (const change of changes) {
      this.#truth.record(change, this.#witness.now())
      const cursor = change.after?.changed_at ?? null
      if (this.#incremental && lastRun !== null && cursor !== null && cursor < lastRun) {
        throw new Divergence(
          `last_run is ${lastRun}, and the source has just committed ${shown(change.after)}: no run will read it`,
        )
      }
    }
  }

  /** The target has committed what a task did. */
  targetChanged(input: CommitInput | LoadInput | null, changes: readonly Change[], deliveredAt: number): void {
    this.#fenceMoved(changes)
    if (input !== null && 'partition' in input) {
      const own = changes.filter(({ table: changed }) => changed !== 'dray_fence')
      if (own.length > 0) this.#landing.landed(input, own)
    } else if (input !== null && this.#isSettling(changes)) this.#settled(input, changes, deliveredAt)
    else if (input !== null) this.#closed(input, changes, deliveredAt)
    // A Commit that did not come to its end after it had moved last_run does what is to be done by now.
    if (input !== null && !('partition' in input)) this.#recount(planningRun(input))
    const versions = changes.filter(({ table: changed }) => changed === 'version')
    if (versions.length > 0) this.#histories.check(versions, input !== null && 'partition' in input)
  }

  /** Whether a Commit has put the newest rows of codes in place, and deleted none. */
  #isSettling(changes: readonly Change[]): boolean {
    return this.#witness.scenario.sharedCodes && !changes.some(({ table }) => table === 'dray_closing')
  }

  #settled(input: CommitInput, changes: readonly Change[], deliveredAt: number): void {
    const entry = changes.find(({ table }) => table === 'dray_ledger')?.after ?? null
    if (entry !== null) this.#landing.triedAgain(input, entry, [], deliveredAt)
    const own = changes.filter(({ table }) => table === tableOf(this.#witness.scenario.shape))
    if (own.length > 0) this.#landing.settled(input, own)
  }

  /** A Commit has deleted rows, swapped them in, or tried refused ones again. */
  #closed(input: CommitInput, changes: readonly Change[], deliveredAt: number): void {
    const { shape } = this.#witness.scenario
    const of = (table: string) => changes.filter(({ table: changed }) => changed === table)
    const own = of(tableOf(shape))
    // Of a history nothing is taken away that a second try has not put something in the place of.
    const isTried = ({ before, after }: Change) => {
      if (shape.load === 'replace') return false
      if (before !== null && isGivenBack(before, after)) return false
      return before === null || !isTakenAway(before, after) || own.some((one) => isNext(one, after))
    }
    const [entry] = of('dray_ledger')
    const tried = [...own.filter(isTried), ...(shape.load === 'replace' ? of('product__dray_next') : [])]
    const written = tried.filter(({ before, after }) => before === null || !isTakenAway(before, after))
    if (entry !== undefined || written.length > 0)
      this.#landing.triedAgain(input, entry?.after ?? null, written, deliveredAt)
    const taken = own.filter((one) => !isTried(one))
    if (shape.deletes === 'told') {
      if (taken.length === 0) return
      const planning = planningRun(input)
      this.#closing.told(input, taken, this.#landing.toldOf(planning), this.#landing.codesOf(planning))
      return
    }
    const closings = of('dray_closing')
    if (taken.length + closings.length > 0)
      this.#closing.closed(input, [...taken, ...closings], deliveredAt, this.#landing.codesOf(planningRun(input)))
  }

  /** What is known of the target, to be known again when it goes back to how it is now. */
  remembered(): Memory {
    return { landings: this.#landing.remembered(), closings: this.#closing.remembered() }
  }

  /** The target is as it was then; without a memory it is new. */
  goBackTo(memory: Memory | null): void {
    this.#landing.goBackTo((memory?.landings ?? new Map()) as never)
    this.#closing.goBackTo((memory?.closings ?? new Map()) as never)
  }

  /** The fence only rises. */
  #fenceMoved(changes: readonly Change[]): void {
    for (const { table, before, after } of changes) {
      if (table !== 'dray_fence' || before === null || after?.pipeline !== PIPELINE) continue
      if (Number(after?.epoch) < Number(before.epoch)) {
        throw new Divergence(`the fence went back from epoch ${before.epoch} to ${after?.epoch}`)
      }
    }
  }

  /** The state of the pipeline says that a run has committed. */
  committed(input: CommitInput, before: string | null, after: string | null): void {
    const run = this.#witness.run(planningRun(input))
    this.#refuseUnchecked(input)
    if (this.#witness.run(input.run.id).isElsewhere) throw new Divergence(`${run.id} has committed on another server`)
    const planning = planningRun(input)
    this.#committed.set(planning, this.#counted(planning))
    // What was in the target that another one has taken the place of, the next run looks for.
    if (run.startedAt <= this.#witness.targetChangedAt()) return
    const { sharedCodes, shape } = this.#witness.scenario
    if (sharedCodes && !shape.versioned) this.#landing.checkOutdated(planning)
    if (run.mode !== null) this.#someRowsCommitted(run, input, before, after)
    else this.#wholeRunCommitted(run, before, after)
  }

  /** A check that does not hold keeps a run from committing. */
  #refuseUnchecked({ run: { id } }: CommitInput): void {
    if (this.#witness.scenario.shape.check !== 'fail' || this.#witness.run(id).isRepaired) return
    const odd = this.#witness.targetRows().find(({ label }) => label === LABELS.odd)
    if (odd !== undefined) throw new Divergence(`${id} has committed though its check does not hold: ${shown(odd)}`)
  }

  #counted(planning: string) {
    return { counts: this.#landing.countsOf(planning), deleted: this.#closing.deletedBy(planning) }
  }

  #recount(planning: string): void {
    if (this.#committed.has(planning)) this.#committed.set(planning, this.#counted(planning))
  }

  #wholeRunCommitted({ startedAt }: KnownRun, before: string | null, after: string | null): void {
    if (this.#incremental && after === null) throw new Divergence('a run committed and left last_run empty')
    const mayGoBack = this.#witness.targetChangedAt() > Number.NEGATIVE_INFINITY || this.#witness.isStateLost()
    if (before !== null && after !== null && after < before && !mayGoBack)
      throw new Divergence(`last_run went back from ${before} to ${after}`)
    if (this.#witness.scenario.shape.nulls === 'error' && this.#incremental) this.#refuseUnstamped(startedAt)
    this.#content.compare({
      landed: ({ row, at }) => {
        const cursor = row.changed_at ?? null
        if (!this.#incremental || cursor === null) return at < startedAt && this.#isRead(row)
        return after !== null && cursor < after
      },
      goneBefore: startedAt,
      when: `last_run went to ${after}`,
      isReplayed: false,
    })
  }

  /** A run of some rows only has landed these, and leaves `last_run` alone. */
  #someRowsCommitted(
    { id, mode, startedAt }: KnownRun,
    input: CommitInput,
    before: string | null,
    after: string | null,
  ) {
    if (before !== after)
      throw new Divergence(`${id} (${JSON.stringify(mode)}) moved last_run from ${before} to ${after}`)
    const isAsked = this.#askedFor(mode, input)
    if (isAsked === null) return
    this.#content.compare({
      landed: ({ row, at }) => at < startedAt && isAsked(row),
      goneBefore: Number.NEGATIVE_INFINITY,
      when: `${id} has committed ${JSON.stringify(mode)}`,
      isReplayed: false,
    })
  }

  #askedFor(mode: KnownRun['mode'], input: CommitInput): ((row: Row) => boolean) | null {
    if (mode === null || 'replay' in mode) return null
    if ('keys' in mode) {
      const keys = new Set(mode.keys.map((key) => String(key)))
      return (row) => keys.has(`${row.region},${row.id}`)
    }
    const { from, to } = mode.backfill
    const { window } = JSON.parse(this.#witness.pristine(input.plan.key).toString('utf8').split('\n')[1] ?? '') as Plan
    const hi = window !== null && window.hi < to ? window.hi : to
    return ({ changed_at: cursor }) => cursor !== null && cursor !== undefined && cursor >= from && cursor < hi
  }

  /** Rows that no window ever holds must stop a run, where the pipeline says so. */
  #refuseUnstamped(runStart: number): void {
    for (const versions of this.#truth.rows()) {
      const { row, at } = versions.at(-1) as Version
      if (row !== null && (row.changed_at ?? null) === null && at < runStart) {
        throw new Divergence(`a run committed and passed over ${shown(row)}, which has no cursor`)
      }
    }
  }

  /** Everything has been read: the target and the quarantine are the source. */
  ended(): void {
    const { kind } = this.#witness.scenario.shape
    this.#content.compare({
      landed: ({ row }) => this.#isRead(row) && (kind === 'full' || (row.changed_at ?? '') < FAR),
      goneBefore: Number.POSITIVE_INFINITY,
      when: 'everything had been read',
      isReplayed: true,
    })
  }

  /**
   * A run that has read the whole source has closed the entries of rows that are in the target as they should be.
   * `open` are those that were there when it started.
   */
  checkOpen(open: readonly QuarantinedRow[]): void {
    if (!this.#incremental && open.length > 0) this.#content.checkOpen(open)
  }

  #isRead(row: Row): boolean {
    return (row.changed_at ?? null) !== null || !this.#incremental || this.#witness.scenario.shape.nulls === 'include'
  }

  /** Rows that no window holds for long are said. */
  #checkSaid(runId: string, notes: string): void {
    const { startedAt } = this.#witness.run(runId)
    if (!this.#incremental || notes.includes(' beyond ')) return
    const far = this.#truth
      .rows()
      .map((versions) => versions.at(-1) as Version)
      .find(({ row, at }) => at < startedAt && row !== null && (row.changed_at ?? '') >= FAR)
    if (far !== undefined)
      throw new Divergence(`${runId} has read nothing of ${shown(far.row)}, and says nothing of it`)
  }

  /** A run has succeeded: its record says what its loads did, or which run had done its work. */
  recorded(runId: string, planning: string, record: Readonly<Record<string, unknown>> | undefined): void {
    if (record?.status !== 'success') throw new Divergence(`${runId} succeeded, and its step is ${record?.status}`)
    // Of a run that the target was exchanged in, what it had landed may be elsewhere.
    if (this.#witness.run(planning).startedAt <= this.#witness.targetChangedAt()) return
    const isDoneBefore = String(record.notes ?? '').includes('has done this step already')
    const isOfSomeRows = this.#witness.run(planning).mode !== null
    const known = this.#committed.get(planning)
    // A window may hold no row; whether it does not is judged by what has become of each row.
    const counts = known?.counts ?? (isDoneBefore || isOfSomeRows || this.#incremental ? NONE : null)
    if (counts === null) throw new Divergence(`${runId} succeeded, and nothing of it has landed`)
    if (planning === runId && !isOfSomeRows && !isDoneBefore) this.#checkSaid(runId, String(record.notes ?? ''))
    for (const [name, count] of Object.entries({ ...counts, deleted: counts.deleted + (known?.deleted ?? 0) })) {
      if (record[name] !== count)
        throw new Divergence(`${runId}: its record says ${record[name]} ${name} where ${count} were`)
    }
  }
}
