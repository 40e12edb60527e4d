import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import type { Row } from './memory-transaction.ts'
import { SWALLOWED_LABEL } from './models.ts'
import { OF_OTHERS } from './others.ts'
import {
  fateOf,
  folded,
  isLater,
  isMadeOf,
  isSameRow,
  keyOf,
  type SourceTruth,
  shown,
  type Version,
} from './source-truth.ts'
import { Divergence, type Witness } from './witness.ts'

/** What is known of which rows must have landed. */
export interface Due {
  /** Which of the latest versions have been read. */
  readonly landed: (version: Version & { readonly row: Row }) => boolean
  /** Rows that were deleted before this time are gone, where the pipeline deletes. */
  readonly goneBefore: number
  readonly when: string
  /** All that was rejected and is taken by now has been sent again. */
  readonly isReplayed: boolean
}

/** Holds the target and the quarantine against the source. */
export class ContentOracle {
  readonly #witness: Witness
  readonly #truth: SourceTruth

  constructor(witness: Witness, truth: SourceTruth) {
    this.#witness = witness
    this.#truth = truth
  }

  get #shape() {
    return this.#witness.scenario.shape
  }

  compare(due: Due): void {
    if (this.#shape.load === 'append') this.#compareEvents(due)
    else this.#compareRows(due)
    this.#compareQuarantine(due)
  }

  #compareRows(due: Due): void {
    const targets = new Map(this.#standing().map((row) => [folded(row.code), row]))
    const byCode = this.#truth.byCode()
    for (const [code, rows] of byCode) {
      if (this.#shape.table === 'folded' && rows.length > 1) this.#compareSpellings(rows, targets.get(code), due)
      else this.#compareCode(rows, targets.get(code), due)
    }
    for (const [code, row] of targets)
      if (!byCode.has(code)) throw new Divergence(`the target has ${shown(row)}, the source never had`)
  }

  /** The rows of now: those that are not marked as deleted, and of a history the current versions. */
  #standing(): readonly Row[] {
    const rows = this.#witness.targetRows()
    if (this.#shape.load === 'history') return rows.filter((row) => (row.valid_to ?? null) === null)
    return rows.filter((row) => (row.deleted_at ?? null) === null)
  }

  #compareCode(rows: readonly (readonly Version[])[], found: Row | undefined, due: Due): void {
    const latest = rows.map((versions) => versions.at(-1) as Version)
    const wrong = (newest: Row | null) =>
      new Divergence(`${due.when}, but the target has ${shown(found)} where the source has ${shown(newest)}`)
    if (this.#shape.deletes !== 'ignore' && latest.every(({ row, at }) => row === null && at < due.goneBefore)) {
      if (found !== undefined) throw wrong(null)
      return
    }
    const isErased = ({ row, at }: Version) =>
      row !== null && due.landed({ row, at }) && this.#fate(row, due) === 'deleted'
    if (latest.every(isErased)) {
      if (found !== undefined) throw wrong(null)
      return
    }
    const own = latest.flatMap(({ row, at }) => (row !== null && due.landed({ row, at }) ? [row] : []))
    const newest = own
      .filter((row) => this.#fate(row, due) === 'loaded')
      .reduce<Row | null>((best, row) => (best === null || isLater(row, best) ? row : best), null)
    if (this.#shape.writes === 'known keys' && this.#isOfOthers(rows, found, newest)) return
    if (this.#shape.writes === 'new keys' && found !== undefined) {
      if (!this.#isFirst(rows, found)) throw wrong(newest)
      return
    }
    if (found === undefined) {
      if (newest !== null && !this.#isKeptOut(newest, due)) throw wrong(newest)
      return
    }
    if (newest !== null && isMadeOf(found, newest)) return
    if (newest !== null && this.#isKeptOut(newest, due)) return
    if (!rows.some((versions) => this.#isAllowed(found, versions, newest, own, due))) throw wrong(newest)
  }

  /** Whether a row of which no later one is taken is one of others, or of the source as it was at some time. */
  #isFirst(rows: readonly (readonly Version[])[], found: Row): boolean {
    if (this.#witness.others().has(found.code ?? '') && found.label === OF_OTHERS.label) return true
    return rows.flat().some(({ row }) => row !== null && fateOf(row, false) === 'loaded' && isMadeOf(found, row))
  }

  /** Whether there is nothing but what others have put there. Throws where the pipeline has put a row there. */
  #isOfOthers(rows: readonly (readonly Version[])[], found: Row | undefined, newest: Row | null): boolean {
    const code = rows.flat().find(({ row }) => row !== null)?.row?.code ?? ''
    const theirs = this.#witness.others().get(code)
    if ((found !== undefined) !== (theirs === 'there'))
      throw new Divergence(`the target has ${shown(found)}, and the row of others is ${theirs ?? 'not known'}`)
    if (found === undefined) return true
    const isHeldBack = this.#shape.versioned && (newest?.changed_at ?? '') < OF_OTHERS.changed_at
    return found.label === OF_OTHERS.label && (newest === null || isHeldBack)
  }

  /**
   * Of a row that must be there only its latest version may be; of others any that is not older than what must be
   * there.
   */
  #isAllowed(found: Row, versions: readonly Version[], newest: Row | null, own: readonly Row[], due: Due): boolean {
    const latest = (versions.at(-1) as Version).row
    const isDue = latest !== null && own.includes(latest) && this.#fate(latest, due) === 'loaded'
    const { kind } = this.#witness.scenario
    const inOneBatch = kind === 'usual' && this.#shape.partitionRows >= 100
    return (isDue ? [latest] : versions.map(({ row }) => row)).some((row) => {
      if (row === null || fateOf(row, this.#mayBeRepaired) !== 'loaded' || !isMadeOf(found, row)) return false
      const [cursor, least] = [row.changed_at ?? '', newest?.changed_at ?? '']
      return newest === null || cursor > least || (cursor === least && !(isDue && inOneBatch))
    })
  }

  /**
   * Rows of one key in several spellings: each is in the target or in the quarantine, where it has been as long as
   * another one of them was there.
   */
  #compareSpellings(rows: readonly (readonly Version[])[], found: Row | undefined, due: Due): void {
    const latest = rows.map((versions) => versions.at(-1) as Version)
    const where = `the target has ${shown(found)}`
    if (this.#shape.deletes !== 'ignore' && latest.every(({ row, at }) => row === null && at < due.goneBefore)) {
      if (found !== undefined) throw new Divergence(`${due.when}, but ${where}, of which the source has no row`)
      return
    }
    if (found !== undefined && !rows.flat().some(({ row }) => row !== null && isMadeOf(found, row)))
      throw new Divergence(`${due.when}, but ${where}, which the source never had`)
    const standing = latest.filter(({ row }) => row !== null)
    for (const { row, at } of standing) {
      if (row === null || !due.landed({ row, at }) || this.#fate(row, due) !== 'loaded') continue
      if (found !== undefined && isMadeOf(found, row)) continue
      const isAlone = standing.length === 1 && latest.every((one) => one.row === row || one.at < due.goneBefore)
      const mayWait = this.#shape.kind === 'incremental' || !isAlone
      if (!mayWait || !this.#isOpen(row))
        throw new Divergence(`${due.when}, but ${where} where the source has ${shown(row)}`)
    }
  }

  checkOpen(open: readonly QuarantinedRow[]): void {
    const standing = this.#standing()
    const rows = new Map(
      this.#truth.rows().map((versions) => [keyOf(versions.at(-1)?.row ?? {}), versions.at(-1)?.row]),
    )
    for (const { row: kept, run } of open) {
      const row = rows.get(keyOf(kept)) ?? null
      const isKnown = row !== null && row.id !== null && kept.id !== null && row.code === kept.code
      if (isKnown && standing.some((one) => isMadeOf(one, row)))
        throw new Divergence(`${shown(row)} is in the target, and what ${run} quarantined of it is open still`)
    }
  }

  #isOpen(row: Row): boolean {
    return this.#witness.quarantined().some((kept) => isSameRow(kept.row, row))
  }

  /** Waits in the quarantine, since another row has its label in the target; unless they only wait for each other. */
  #isKeptOut(row: Row, due: Due): boolean {
    if (this.#shape.table !== 'labelled' || !this.#isOpen(row)) return false
    if (this.#shape.kind === 'incremental') return true
    const byCode = this.#truth.byCode()
    const seen = new Set<string | null | undefined>()
    for (let next: Row = row; ; ) {
      // A row that waits for a ring, as its label is wanted twice; a row of the ring lands with the others.
      if (seen.has(next.code)) return next.code !== row.code
      seen.add(next.code)
      const waiting = next
      const holder = this.#standing().find(({ label, code }) => label === waiting.label && code !== waiting.code)
      if (holder === undefined) return next !== row
      const latest = byCode.get(folded(holder.code))?.[0]?.at(-1)
      const isDue = latest !== undefined && latest.row !== null && due.landed({ row: latest.row, at: latest.at })
      if (latest?.row == null || !isDue || isMadeOf(holder, latest.row) || this.#fate(latest.row, due) !== 'loaded')
        return true
      next = latest.row
    }
  }

  get #mayBeRepaired(): boolean {
    return this.#witness.scenario.repairedAfterSeconds !== null
  }

  /**
   * A row whose transform was repaired may have been set aside before, until it is sent again; one without a key never
   * is.
   */
  #fate(row: Row, { isReplayed }: Due) {
    return row.label === SWALLOWED_LABEL ? 'refused' : fateOf(row, this.#mayBeRepaired && isReplayed && row.id !== null)
  }

  /** Each version that was due is there, and none more often than the source has committed it. */
  #compareEvents({ landed, when }: Due): void {
    const events = Map.groupBy(this.#witness.targetRows(), (row) =>
      JSON.stringify([row.code, row.label, row.changed_at]),
    )
    for (const [event] of events.values()) this.refuseDoubled(event as Row, events)
    for (const versions of this.#truth.rows()) {
      const row = versions.at(-1)?.row ?? null
      if (row === null || fateOf(row, false) !== 'loaded' || !landed({ row, at: (versions.at(-1) as Version).at }))
        continue
      if (!events.has(JSON.stringify([row.code, row.label, row.changed_at])))
        throw new Divergence(`${when}, but ${shown(row)} was not appended`)
    }
  }

  refuseDoubled(event: Row, events: ReadonlyMap<string, readonly Row[]>): void {
    const times = events.get(JSON.stringify([event.code, event.label, event.changed_at]))?.length ?? 0
    const most = this.#truth.timesCommitted(event)
    if (times > most) {
      throw new Divergence(
        `${shown(event)} is in the target ${times} times, and the source has committed it ${most} times`,
      )
    }
  }

  /** A row that the target would refuse is not tried where a later one of its code is taken, or it is left alone. */
  #mayGiveWay(row: Row): boolean {
    if (this.#shape.writes !== undefined) return true
    if (this.#shape.load === 'append') return false
    const others = this.#truth.byCode().get(folded(row.code))?.flat() ?? []
    return others.some(
      (other) => other.row !== null && fateOf(other.row, this.#mayBeRepaired) === 'loaded' && isLater(other.row, row),
    )
  }

  #compareQuarantine({ landed, when }: Due): void {
    let quarantine: readonly QuarantinedRow[] | null = null
    for (const versions of this.#truth.rows()) {
      const { row, at } = versions.at(-1) as Version
      if (row === null || !landed({ row, at })) continue
      const fate = row.label === SWALLOWED_LABEL ? 'refused' : fateOf(row, this.#mayBeRepaired)
      if ((fate !== 'quarantined' && fate !== 'refused') || (fate === 'refused' && this.#mayGiveWay(row))) continue
      quarantine ??= this.#witness.quarantined()
      if (!quarantine.some((kept) => isSameRow(kept.row, row))) {
        throw new Divergence(`${when}, but ${shown(row)} is not in the quarantine`)
      }
    }
  }
}
