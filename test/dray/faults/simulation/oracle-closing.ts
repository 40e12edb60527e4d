import type { CommitInput } from 'dray/internal/messages/stages.ts'
import type { Change, Row } from './memory-transaction.ts'
import { SWALLOWED_LABEL } from './models.ts'
import { fateOf, folded, isMadeOf, type SourceTruth, shown } from './source-truth.ts'
import { Divergence, type Witness } from './witness.ts'

/** Up to so many rows a run may delete whatever their share. */
const BORNE = 10

/** What a Commit writes to the target: a whole new state, or the deletion of what the source has no longer. */
export class ClosingOracle {
  readonly #witness: Witness
  readonly #truth: SourceTruth
  readonly #closed = new Map<string, number>()

  constructor(witness: Witness, truth: SourceTruth) {
    this.#witness = witness
    this.#truth = truth
  }

  remembered(): ReadonlyMap<string, number> {
    return new Map(this.#closed)
  }

  /** The target is as it was then. */
  goBackTo(closed: ReadonlyMap<string, number>): void {
    this.#closed.clear()
    for (const [run, deleted] of closed) this.#closed.set(run, deleted)
  }

  /** Rows that the run has deleted. */
  deletedBy(planningRun: string): number {
    return this.#closed.get(planningRun) ?? 0
  }

  /** A Commit, delivered at a time, has written to the compared table. */
  closed(
    input: CommitInput,
    changes: readonly Change[],
    deliveredAt: number,
    loaded: ReadonlySet<string> = new Set(),
  ): void {
    const { shape } = this.#witness.scenario
    const planningRun = input.planned_by ?? input.run.id
    const name = `the Commit of ${input.run.id}`
    const record = changes.find(({ table }) => table === 'dray_closing')?.after ?? null
    if (record?.run_id !== planningRun) throw new Divergence(`${name} wrote rows without saying so in dray_closing`)
    if (this.#closed.has(planningRun)) throw new Divergence(`${name} wrote rows a second time`)
    if (this.#witness.fence() !== String(input.epoch))
      throw new Divergence(`${name} wrote with epoch ${input.epoch} when epoch ${this.#witness.fence()} had taken over`)
    const own = changes.filter(({ table }) => table !== 'dray_closing')
    if (shape.load === 'replace') {
      this.#closed.set(planningRun, 0)
      this.#checkShrunk(name, own)
      this.#swapped(name, this.#witness.run(planningRun).startedAt)
      return
    }
    const isBack = ({ before, after }: Change) => before !== null && isGivenBack(before, after)
    const deleted = own.filter((change) => !isBack(change))
    this.#closed.set(planningRun, deleted.length)
    this.#deleted(name, deleted, deliveredAt, loaded)
    this.#givenBack(name, own.filter(isBack), deliveredAt, loaded)
  }

  /** A Commit has deleted rows of which the run's own rows have said that they are deleted, and no others. */
  told(input: CommitInput, changes: readonly Change[], told: ReadonlySet<string>, loaded: ReadonlySet<string>): void {
    const name = `the Commit of ${input.run.id}`
    if (this.#witness.fence() !== String(input.epoch))
      throw new Divergence(`${name} wrote with epoch ${input.epoch} when epoch ${this.#witness.fence()} had taken over`)
    for (const { before, after } of changes) {
      if (before === null || after !== null)
        throw new Divergence(`${name} has made ${shown(after)} of ${shown(before)}`)
      if (!told.has(before.code ?? '') || loaded.has(folded(before.code)))
        throw new Divergence(`${name} has deleted ${shown(before)}, of which the source does not say so`)
    }
  }

  /** A table that loses nearly all of its rows is that of a source that is being reloaded. */
  #checkShrunk(name: string, changes: readonly Change[]): void {
    const { mostLost = 1 } = this.#witness.scenario.shape
    const old = changes.filter(({ before }) => before !== null).length
    const lost = old - changes.filter(({ after }) => after !== null).length
    if (lost > Math.max(BORNE, Math.floor(old * mostLost)) && lost < old)
      throw new Divergence(`${name} has left out ${lost} of ${old} rows, more than it may`)
  }

  /** The table is the source as it was read, each row at some time of the run: whole, and nothing of before. */
  #swapped(name: string, since: number): void {
    const targets = new Map(this.#witness.targetRows().map((row) => [row.code ?? '', row]))
    for (const [code] of this.#truth.byCode()) {
      const found = targets.get(code)
      targets.delete(code)
      const seen = this.#truth.seenSince(code, since)
      // What the table's trigger drops is in the quarantine.
      const isLoaded = (row: Row) => fateOf(row, false) === 'loaded' && row.label !== SWALLOWED_LABEL
      const due = seen.map((row) => (row !== null && isLoaded(row) ? row : null))
      const isDue = due.some((row) =>
        row === null ? found === undefined : found !== undefined && isMadeOf(found, row),
      )
      if (!isDue) {
        throw new Divergence(
          `${name} has swapped the rows in, and there is ${shown(found)} where the source had ${due.map(shown).join(' or ')} during the run`,
        )
      }
    }
    const [extra] = targets.values()
    if (extra !== undefined) throw new Divergence(`${name} has swapped ${shown(extra)} in, which the source never had`)
  }

  #deleted(name: string, changes: readonly Change[], since: number, loaded: ReadonlySet<string>): void {
    const { shape } = this.#witness.scenario
    for (const { before, after } of changes) {
      if (before === null) throw new Divergence(`${name} has inserted ${shown(after)}`)
      if (!isTakenAway(before, after)) throw new Divergence(`${name} has made ${shown(after)} of ${shown(before)}`)
      if (loaded.has(folded(before.code)))
        throw new Divergence(`${name} has deleted ${shown(before)}, whose key the run has loaded`)
      if (!this.#truth.wasGoneSince(before.code ?? '', since))
        throw new Divergence(`${name} has deleted ${shown(before)}, which the source has`)
    }
    const standing = this.#witness
      .targetRows()
      .filter((row) => (row.deleted_at ?? null) === null && (row.valid_to ?? null) === null)
    const most = Math.max(BORNE, Math.floor((standing.length + changes.length) * shape.mostDeleted))
    if (changes.length > most)
      throw new Divergence(`${name} has deleted ${changes.length} rows, and ${most} is the most that it may`)
  }

  /** A row is not marked any more only when the source has had it, or the run has loaded it. */
  #givenBack(name: string, changes: readonly Change[], since: number, loaded: ReadonlySet<string>): void {
    for (const { before } of changes) {
      const code = before?.code ?? ''
      if (loaded.has(folded(code)) || this.#truth.seenSince(code, since).some((row) => row !== null)) continue
      throw new Divergence(`${name} has taken the mark from ${shown(before)}, which the source does not have`)
    }
  }
}

/** Not marked any more, and otherwise as it was. */
export function isGivenBack(before: Row, after: Row | null): boolean {
  if (after === null || (before.deleted_at ?? null) === null || (after.deleted_at ?? null) !== null) return false
  return Object.keys(before).every((column) => column === 'deleted_at' || before[column] === after[column])
}

/** Deleted, marked or closed, and otherwise as it was. */
export function isTakenAway(before: Row, after: Row | null): boolean {
  if (after === null) return true
  const mark = ['deleted_at', 'valid_to'].find((column) => (after[column] ?? null) !== (before[column] ?? null))
  const isOwn = (column: string) => column === mark || column === 'is_current'
  return (
    mark !== undefined &&
    (before[mark] ?? null) === null &&
    Object.keys(before).every((column) => isOwn(column) || before[column] === after[column])
  )
}
