import { decodeLine } from 'dray/internal/block/copy-text.ts'
import type { StagedObject } from 'dray/internal/messages/staged-object.ts'
import { type CommitInput, type LoadInput, planningRun } from 'dray/internal/messages/stages.ts'
import type { Plan } from 'dray/internal/pipeline/plan/staged-plan.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import { canonical } from './memory-table.ts'
import type { Change, Row } from './memory-transaction.ts'
import { LABELS, tableOf } from './models.ts'
import type { ContentOracle } from './oracle-content.ts'
import {
  type Fate,
  fateOf,
  folded,
  isLater,
  isMadeOf,
  isSameRow,
  keyOf,
  type SourceTruth,
  shown,
} from './source-truth.ts'
import { Divergence, type Witness } from './witness.ts'

/** The counts of a run, as its landings really were. */
export type Counts = Record<
  | 'read'
  | 'inserted'
  | 'updated'
  | 'unchanged'
  | 'filtered'
  | 'duplicate'
  | 'quarantined'
  | 'deleted'
  | 'left'
  | 'findings',
  number
>

export const NONE: Counts = {
  read: 0,
  inserted: 0,
  updated: 0,
  unchanged: 0,
  filtered: 0,
  duplicate: 0,
  quarantined: 0,
  deleted: 0,
  left: 0,
  findings: 0,
}

/** What is known of the landings of a planning run. */
interface Landed {
  counts: Counts
  /** Where each row has landed, by its key. */
  rows: Map<string, number>
  /** Codes that were loaded. */
  codes: Set<string>
  /** What was read, and what is to become of it where no other row is in its way. */
  met: { readonly row: Row; readonly fate: Fate }[]
}

type Landings = ReadonlyMap<string, Landed>

/** What a Load has committed: rows, their entry in the ledger, their quarantine. */
export class LandingOracle {
  readonly #witness: Witness
  readonly #truth: SourceTruth
  readonly #content: ContentOracle
  #runs = new Map<string, Landed>()

  constructor(witness: Witness, truth: SourceTruth, content: ContentOracle) {
    this.#witness = witness
    this.#truth = truth
    this.#content = content
  }

  get #shape() {
    return this.#witness.scenario.shape
  }

  countsOf(planning: string): Counts | null {
    return this.#runs.get(planning)?.counts ?? null
  }

  codesOf(planning: string): ReadonlySet<string> {
    return this.#runs.get(planning)?.codes ?? new Set()
  }

  /** Codes of which a row has said that it is deleted. */
  toldOf(planning: string): ReadonlySet<string> {
    const met = this.#runs.get(planning)?.met ?? []
    return new Set(met.flatMap(({ row, fate }) => (fate === 'deleted' ? [row.code ?? ''] : [])))
  }

  remembered(): Landings {
    return structuredClone(this.#runs)
  }

  /** The target is as it was then. */
  goBackTo(landings: Landings): void {
    this.#runs = new Map(structuredClone(landings))
  }

  landed(input: LoadInput, changes: readonly Change[]): void {
    const planning = planningRun(input)
    const products = changes.filter(({ table }) => table !== 'dray_ledger')
    const entry = changes.find(({ table }) => table === 'dray_ledger')?.after
    this.#checkTable(input, products)
    this.#checkRight(input)
    if (products.length > 0 && entry === undefined)
      throw new Divergence(`${nameOf(input)} wrote rows without its entry in the ledger`)
    if (this.#witness.fence() !== String(input.epoch)) {
      throw new Divergence(
        `${nameOf(input)} wrote with epoch ${input.epoch} when epoch ${this.#witness.fence()} had taken over`,
      )
    }
    if (entry === undefined || entry === null) return
    if (entry.run_id !== planning) throw new Divergence(`${nameOf(input)} is in the ledger as of ${entry.run_id}`)
    const extracted = this.#rowsOf(input.extracted.key)
    this.#checkWindow(input, extracted)
    const run = this.#checkOnce(planning, input, extracted)
    const aside = this.#setAside(planning, entry)
    const fate = this.#fates(input.run.id, { extracted, products, aside })
    const counts = this.#counted(extracted, products, fate)
    for (const [name, count] of Object.entries(counts)) {
      const said = entry[columnOf(name as keyof Counts)]
      if (said !== String(count))
        throw new Divergence(`${nameOf(input)}: the ledger says ${said} ${name} where ${count} were`)
    }
    this.#checkOrder(input, products)
    this.#checkBatch(input, { extracted, products, aside, fate })
    this.#checkFindings(input, extracted)
    for (const row of extracted) if (fate(row) === 'loaded') run.codes.add(folded(row.code))
    const { isRepaired } = this.#witness.run(input.run.id)
    run.met.push(...extracted.map((row) => ({ row, fate: fateOf(row, isRepaired) })))
    for (const [name, count] of Object.entries(counts)) run.counts[name as keyof Counts] += count
  }

  /** From another server nothing lands, and nothing where another pipeline takes rows of the same table away. */
  #checkRight(input: LoadInput | CommitInput): void {
    const run = this.#witness.run(input.run.id)
    if (run.isElsewhere) throw new Divergence(`${run.id} has landed rows of another server`)
    if (run.startedAt > this.#witness.rivalSince())
      throw new Divergence(`${run.id} has landed rows in a table that another pipeline says it writes alone`)
  }

  /** A replacement is gathered beside the table; only rows of their own are written into it. */
  #checkTable(input: LoadInput, products: readonly Change[]): void {
    const isGathered = this.#shape.load === 'replace' && this.#witness.run(planningRun(input)).mode === null
    const due = isGathered ? 'product__dray_next' : tableOf(this.#shape)
    const other = products.find(({ table }) => table !== due)
    if (other !== undefined) throw new Divergence(`${nameOf(input)} wrote to ${other.table} instead of ${due}`)
    const { writes } = this.#shape
    const wrong = products.find(({ before }) => writes !== undefined && (before === null) !== (writes === 'new keys'))
    if (wrong !== undefined)
      throw new Divergence(
        `${nameOf(input)} made ${shown(wrong.after)} of ${shown(wrong.before)}, and writes ${writes}`,
      )
  }

  #rowsOf(key: string): Row[] {
    const [header = '', ...lines] = this.#witness.pristine(key).toString('utf8').trimEnd().split('\n')
    const { columns } = JSON.parse(header) as { columns: string[] }
    return lines.map((line) => {
      const fields = decodeLine(line)
      return Object.fromEntries(columns.map((column, at) => [column, canonical(fields[at] ?? null)]))
    })
  }

  /** Rows of the window and no others: those of the next one are not settled yet. */
  #checkWindow(input: LoadInput, extracted: readonly Row[]): void {
    const { window } = JSON.parse(this.#witness.pristine(input.plan.key).toString('utf8').split('\n')[1] ?? '') as Plan
    if (window === null) return
    const { mode } = this.#witness.run(planningRun(input))
    for (const row of extracted) {
      const cursor = row.changed_at ?? null
      const inside =
        cursor === null
          ? mode === null && this.#shape.nulls === 'include'
          : (window.lo === null || cursor >= window.lo) && cursor < window.hi
      if (!inside) throw new Divergence(`${nameOf(input)} read ${shown(row)}, outside of [${window.lo}, ${window.hi})`)
    }
  }

  #checkOnce(planning: string, input: LoadInput, extracted: readonly Row[]) {
    const run: Landed = this.#runs.get(planning) ?? { counts: { ...NONE }, rows: new Map(), codes: new Set(), met: [] }
    this.#runs.set(planning, run)
    // A row whose key changes meanwhile may be read by two partitions.
    const staysInPlace = this.#shape.table !== 'folded'
    // Of a row without a key each run keeps an entry, and a replay sends them all.
    const { mode } = this.#witness.run(planning)
    const mayCome = (row: Row) => row.id === null && mode !== null && 'replay' in mode
    for (const row of extracted) {
      const other = run.rows.get(keyOf(row))
      if (other !== undefined && staysInPlace && !mayCome(row))
        throw new Divergence(`${nameOf(input)} landed ${shown(row)}, which partition ${other} had landed, too`)
      run.rows.set(keyOf(row), input.partition)
    }
    return run
  }

  #counted(extracted: readonly Row[], products: readonly Change[], fate: (row: Row) => Fate): Counts {
    const fates = Map.groupBy(extracted, fate)
    const number = (fate: Fate) => fates.get(fate)?.length ?? 0
    const outranked = this.#outranked(extracted, fate)
    const refused = (fates.get('refused') ?? []).filter((row) => !outranked.has(row)).length
    const keys = number('loaded') + number('refused') - outranked.size
    const inserted = products.filter(({ before }) => before === null).length
    // The end of a version of a history is told by the one that follows it.
    const updated = products.filter(({ before, after }) => before !== null && (after?.valid_to ?? null) === null).length
    return {
      read: extracted.length,
      inserted,
      updated,
      unchanged: keys - refused - inserted - updated,
      filtered: number('filtered'),
      duplicate: outranked.size,
      quarantined: number('quarantined') + refused,
      deleted: number('deleted'),
      left: number('left'),
      findings: extracted.filter(({ label }) => label === LABELS.odd).length,
    }
  }

  /** What was found wrong in rows that are loaded all the same is kept. */
  #checkFindings({ findings, ...input }: LoadInput, extracted: readonly Row[]): void {
    const odd = extracted.filter(({ label }) => label === LABELS.odd)
    const kept = findings === null || odd.length === 0 ? [] : this.#witness.documents(findings.key)
    for (const row of odd) {
      if (!(kept as readonly QuarantinedRow[]).some((one) => isSameRow(one.row, row)))
        throw new Divergence(`${nameOf(input)} has landed, but the finding of ${shown(row)} is not kept`)
    }
  }

  /** Rows that are not even tried, since the target takes a later one of their code. */
  #outranked(extracted: readonly Row[], fate: (row: Row) => Fate): ReadonlySet<Row> {
    const taken = new Set<string | null>()
    const outranked = new Set<Row>()
    // The rows of a replay are in no order.
    const age = (row: Row) => (this.#shape.versioned ? (row.changed_at ?? '') : '')
    const ranked = extracted.toSorted((one, other) => Number(age(one) > age(other)) - Number(age(one) < age(other)))
    for (const row of this.#shape.load === 'append' ? [] : ranked.toReversed()) {
      const own = fate(row)
      if (own !== 'loaded' && own !== 'refused') continue
      if (taken.has(row.code ?? null)) outranked.add(row)
      else if (own === 'loaded') taken.add(row.code ?? null)
    }
    return outranked
  }

  /** What becomes of rows that a run loads. One that is held back for its age is not even tried. */
  #fates(
    run: string,
    {
      extracted,
      products,
      aside,
    }: { extracted: readonly Row[]; products: readonly Change[]; aside: readonly QuarantinedRow[] },
  ): (row: Row) => Fate {
    const { isRepaired } = this.#witness.run(run)
    const standing = this.#standing()
    const isKeptOut = this.#keptOut(
      extracted.filter((row) => ['loaded', 'refused'].includes(fateOf(row, isRepaired))),
      standing,
      products,
    )
    const isLeft = this.#leftAlone(standing, products)
    return (row) => {
      const fate = fateOf(row, isRepaired)
      if ((fate === 'loaded' || fate === 'refused') && isLeft(row)) {
        // Nothing keeps others from its key when the target has refused it.
        const isTried = this.#witness.others().has(row.code ?? '') && aside.some((kept) => isSameRow(kept.row, row))
        return fate === 'refused' && isTried ? 'refused' : 'left'
      }
      const isHeldBack =
        this.#shape.versioned && (standing.get(row.code ?? '')?.changed_at ?? '') > (row.changed_at ?? '')
      if (fate === 'loaded' && isKeptOut(row)) return 'refused'
      return fate === 'refused' && isHeldBack ? 'loaded' : fate
    }
  }

  /** Rows whose key was there before, or was not. */
  #leftAlone(standing: ReadonlyMap<string, Row>, products: readonly Change[]): (row: Row) => boolean {
    const { writes } = this.#shape
    if (writes === undefined) return () => false
    const came = new Set(products.flatMap(({ before, after }) => (before === null ? [after?.code] : [])))
    return ({ code }) => (standing.has(code ?? '') && !came.has(code)) === (writes === 'new keys')
  }

  /** Rows that another one keeps out: one that has their key in other capitals, or their label. */
  #keptOut(
    extracted: readonly Row[],
    standing: ReadonlyMap<string, Row>,
    products: readonly Change[],
  ): (row: Row) => boolean {
    if (this.#shape.table === 'labelled') {
      const holders = new Map([...standing.values()].map((row) => [row.label, row]))
      return (row) => {
        const [own, holder] = [standing.get(row.code ?? ''), holders.get(row.label ?? null)]
        return !(own !== undefined && isMadeOf(own, row)) && holder !== undefined && holder.code !== row.code
      }
    }
    if (this.#shape.table !== 'folded' && this.#shape.table !== 'spelled') return () => false
    const before = new Map([...standing.keys()].map((code) => [folded(code), code]))
    for (const { before: was, after } of products) {
      if (was === null) before.delete(folded(after?.code))
      else before.set(folded(was.code), was.code ?? '')
    }
    const spellings = Map.groupBy(extracted, ({ code }) => folded(code))
    return ({ code }) =>
      (before.get(folded(code)) ?? code) !== code ||
      (spellings.get(folded(code)) ?? []).some((other) => other.code !== code)
  }

  /** The rows of now by code: of a history the current versions. */
  #standing(): Map<string, Row> {
    const rows = this.#witness.targetRows().filter((row) => (row.valid_to ?? null) === null)
    return new Map(rows.map((row) => [row.code ?? '', row]))
  }

  /** Nobody puts an older version of a row over a newer one. */
  #checkOrder(input: LoadInput, products: readonly Change[]): void {
    const { versioned } = this.#shape
    if (this.#witness.scenario.sharedCodes && !versioned) return
    for (const { before, after } of products) {
      if (before === null || after === null || isMadeOf(before, after)) continue
      const versions =
        this.#truth
          .byCode()
          .get(folded(after.code))
          ?.flat()
          .sort((one, other) => one.at - other.at) ?? []
      const places = (row: Row) =>
        versions.flatMap((version, place) => (version.row !== null && isMadeOf(row, version.row) ? [place] : []))
      const isOlder = versioned
        ? (after.changed_at ?? '') < (before.changed_at ?? '')
        : (places(after).at(-1) ?? -1) < (places(before)[0] ?? 0)
      if (isOlder) throw new Divergence(`${nameOf(input)} put ${shown(after)} over ${shown(before)}, which is newer`)
    }
  }

  /** A refused row waits in the quarantine only where no newer one of its code has landed, however the table is cut. */
  checkOutdated(planning: string): void {
    const run = this.#runs.get(planning)
    if (run === undefined) return
    const isNewer = (one: Row, other: Row) => folded(one.code) === folded(other.code) && isLater(one, other)
    const loaded = run.met.filter(({ fate }) => fate === 'loaded')
    const due = run.met.filter(
      ({ row, fate }) =>
        fate === 'quarantined' || (fate === 'refused' && !loaded.some((other) => isNewer(other.row, row))),
    )
    if (due.length === run.counts.quarantined) return
    throw new Divergence(
      `${planning} has quarantined ${run.counts.quarantined} rows where ${due.length} are due: ${due.map(({ row }) => shown(row)).join(', ')}`,
    )
  }

  /**
   * A Commit has put the newest rows of codes in the place of older ones that had landed later. A version of before,
   * which its run has not met in the source any more, gives way to the newest one that lands.
   */
  settled(input: CommitInput, products: readonly Change[]): void {
    const met = this.#runs.get(planningRun(input))?.met ?? []
    for (const { before, after } of products) {
      if (before === null && this.#shape.table === 'spelled') continue
      const isOfTheRun = before === null || met.some(({ row }) => isMadeOf(before, row))
      const isOlder = before === null || after === null || (after.changed_at ?? '') < (before.changed_at ?? '')
      if (isOfTheRun && isOlder)
        throw new Divergence(`the Commit of ${input.run.id} put ${shown(after)} over ${shown(before)}`)
    }
  }

  /**
   * A Commit has tried refused rows again: those land of which the target has a newer version by now, that no other row
   * keeps out any more, and whose key is written otherwise since.
   */
  triedAgain(input: CommitInput, entry: Row | null, changes: readonly Change[], deliveredAt: number): void {
    const name = `the second try of ${input.run.id}`
    this.#checkRight(input)
    if (entry === null) throw new Divergence(`${name} wrote rows without its entry in the ledger`)
    if (this.#witness.fence() !== String(input.epoch))
      throw new Divergence(`${name} wrote with epoch ${input.epoch} when epoch ${this.#witness.fence()} had taken over`)
    const number = (count: keyof Counts) => Number(entry[columnOf(count)])
    // A replace takes back what it had gathered of the rows that the table refused when it was put in place.
    const isReplace = this.#shape.load === 'replace'
    const inserted = isReplace ? -number('quarantined') : changes.filter(({ before }) => before === null).length
    const updated = isReplace ? 0 : changes.length - inserted
    // Rows that had landed are written again along with those, where several are one row of the target.
    const isMixed = this.#shape.table === 'spelled'
    const isTold = isMixed || (number('inserted') === inserted && number('updated') === updated)
    if (number('read') + number('filtered') !== 0 || !isTold)
      throw new Divergence(`${name} says ${shown(entry)} where ${inserted} were inserted and ${updated} updated`)
    const landed = number('inserted') + number('updated') + number('unchanged') + number('duplicate') + number('left')
    if (landed !== -number('quarantined'))
      throw new Divergence(`${name} has landed ${landed} rows and takes ${number('quarantined')} out of the quarantine`)
    this.#checkRespelled(name, changes, deliveredAt)
    const run = this.#runs.get(planningRun(input))
    if (run === undefined) throw new Divergence(`${name} comes before any of its partitions`)
    for (const { after } of changes) run.codes.add(folded(after?.code))
    for (const count of ['inserted', 'updated', 'unchanged', 'duplicate', 'quarantined', 'left'] as const)
      run.counts[count] += number(count)
  }

  #checkRespelled(name: string, changes: readonly Change[], since: number): void {
    for (const { before, after } of changes) {
      const versions = this.#truth.byCode().get(folded(after?.code))?.flat() ?? []
      if (!versions.some(({ row }) => row !== null && isMadeOf(after as Row, row)))
        throw new Divergence(`${name} has written ${shown(after)}, which the source never had`)
      if (before === null || before.code === after?.code || !this.#truth.hadSince(before.code ?? '', since)) continue
      throw new Divergence(`${name} put ${shown(after)} in the place of ${shown(before)}, which the source has, too`)
    }
  }

  /** Rows in the quarantine, and those that wait for the Commit to be tried again. */
  #setAside(planning: string, { refused }: Row): readonly QuarantinedRow[] {
    const waiting = refused == null ? [] : this.#witness.documents((JSON.parse(refused) as StagedObject).key)
    return [...this.#witness.quarantined(), ...(waiting as QuarantinedRow[])].filter(({ run }) => run === planning)
  }

  /** What a load has committed is in the target or set aside at once, exactly as the transform made it. */
  #checkBatch(
    input: LoadInput,
    {
      extracted,
      products,
      aside,
      fate,
    }: {
      readonly extracted: readonly Row[]
      readonly products: readonly Change[]
      readonly aside: readonly QuarantinedRow[]
      readonly fate: (row: Row) => Fate
    },
  ): void {
    const loaded = extracted.filter((row) => fate(row) === 'loaded')
    if (products[0]?.table === tableOf(this.#shape) || products.length === 0) this.#checkRows(input, loaded)
    else this.#checkGathered(input, loaded, products)
    const outranked = this.#outranked(extracted, fate)
    for (const row of extracted) {
      if ((fate(row) !== 'quarantined' && fate(row) !== 'refused') || outranked.has(row)) continue
      if (!aside.some((kept) => isSameRow(kept.row, row))) {
        throw new Divergence(`${nameOf(input)} has landed, but ${shown(row)} is not set aside`)
      }
    }
  }

  #checkRows(input: LoadInput, loaded: readonly Row[]): void {
    const rows = this.#witness.targetRows()
    if (this.#shape.load === 'append') {
      const events = Map.groupBy(rows, (row) => JSON.stringify([row.code, row.label, row.changed_at]))
      for (const row of loaded) {
        if (!events.has(JSON.stringify([row.code, row.label, row.changed_at])))
          throw new Divergence(`${nameOf(input)} has landed, but ${shown(row)} was not appended`)
        this.#content.refuseDoubled(
          { code: row.code ?? null, label: row.label ?? null, changed_at: row.changed_at ?? null },
          events,
        )
      }
      return
    }
    const targets = this.#standing()
    if (this.#shape.load === 'replace' && this.#witness.run(planningRun(input)).mode === null) return
    const last = new Map(loaded.map((row) => [row.code, row]))
    for (const row of last.values()) {
      const found = targets.get(row.code ?? '')
      const newer = this.#shape.versioned && (found?.changed_at ?? '') > (row.changed_at ?? '')
      if (found === undefined || (found.deleted_at ?? null) !== null || !(isMadeOf(found, row) || newer)) {
        throw new Divergence(`${nameOf(input)} has landed, but the target has ${shown(found)} for ${shown(row)}`)
      }
    }
  }

  #checkGathered(input: LoadInput, loaded: readonly Row[], products: readonly Change[]): void {
    const gathered = new Map(products.map(({ after }) => [after?.code, after]))
    for (const row of new Map(loaded.map((each) => [each.code, each])).values()) {
      const found = gathered.get(row.code)
      if (found === undefined || found === null || !isMadeOf(found, row))
        throw new Divergence(`${nameOf(input)} has gathered ${shown(found)} for ${shown(row)}`)
    }
  }
}

/** Of the ledger. */
function columnOf(count: keyof Counts): string {
  return { read: 'rows_read', left: 'left_alone' }[count as string] ?? count
}

function nameOf({ run, partition }: Pick<LoadInput, 'run' | 'partition'>): string {
  return `${run.id}, partition ${partition}`
}
