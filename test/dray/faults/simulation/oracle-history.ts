import type { Change, Row } from './memory-transaction.ts'
import { fateOf, folded, isMadeOf, type SourceTruth, shown } from './source-truth.ts'
import { Divergence, type Witness } from './witness.ts'

/** What a history must be after each commit, whoever wrote. */
export class HistoryOracle {
  readonly #witness: Witness
  readonly #truth: SourceTruth

  constructor(witness: Witness, truth: SourceTruth) {
    this.#witness = witness
    this.#truth = truth
  }

  check(changes: readonly Change[], isLoad: boolean): void {
    const { repairedAfterSeconds, sharedCodes } = this.#witness.scenario
    for (const { before, after } of changes) {
      if (after === null) throw new Divergence(`${shown(before)} was deleted from the history`)
      if (before !== null && isClosed(before)) throw new Divergence(`${shown(before)}, which had ended, was changed`)
      if (isLoad && before !== null && isClosed(after) && !changes.some((one) => isNext(one, after)))
        throw new Divergence(`a load has ended ${shown(after)}, and nothing follows it`)
      const versions = this.#truth.byCode().get(folded(after.code))?.flat() ?? []
      const isKnown = versions.some(
        ({ row }) => row !== null && isMadeOf(after, row) && fateOf(row, repairedAfterSeconds !== null) === 'loaded',
      )
      if (!isKnown) throw new Divergence(`the history has ${shown(after)}, which the source never had`)
    }
    const byCode = Map.groupBy(this.#witness.targetRows(), (row) => row.code ?? '')
    for (const code of new Set(changes.map(({ after }) => after?.code ?? '')))
      checkVersions(byCode.get(code) ?? [], sharedCodes)
  }
}

function isClosed(row: Row): boolean {
  return (row.valid_to ?? null) !== null
}

/** Whether a change begins the version that follows this one. */
export function isNext({ before, after }: Change, ended: Row | null): boolean {
  if (ended === null) return false
  return before === null && after !== null && after.code === ended.code && after.valid_from === ended.valid_to
}

/** The versions of one thing follow one another, and at most the last one is current. */
function checkVersions(versions: readonly Row[], mayTakeTurns: boolean): void {
  const inOrder = versions.toSorted((one, other) => ((one.valid_from ?? '') < (other.valid_from ?? '') ? -1 : 1))
  for (const [place, row] of inOrder.entries()) {
    if (isClosed(row) === (row.is_current === '1')) throw new Divergence(`${shown(row)} says two things of its end`)
    if (isClosed(row) && (row.valid_to ?? '') < (row.valid_from ?? ''))
      throw new Divergence(`${shown(row)} ends before it begins`)
    const next = inOrder[place + 1]
    if (next === undefined) continue
    // Two rows of one thing with the same cursor take turns.
    if (!mayTakeTurns && isClosed(row) && isMadeOf(row, next) && row.valid_to === next.valid_from)
      throw new Divergence(`${shown(next)} follows a version that it does not differ from`)
    if (!isClosed(row)) throw new Divergence(`the history has ${shown(row)} as current, and ${shown(next)} behind it`)
    if ((row.valid_to ?? '') > (next.valid_from ?? ''))
      throw new Divergence(`${shown(row)} and ${shown(next)} hold at the same time`)
  }
}
