import { decodeLine } from '#shared/active-record/copy-text.ts'
import type { LoadInput, QuarantinedRow } from '#shared/pipeline/index.ts'
import type { Plan } from '#shared/pipeline/plan.ts'
import { canonical } from './memory-table.ts'
import type { Change, Row } from './memory-transaction.ts'
import { LABELS, REFUSED } from './models.ts'
import type { Scenario } from './scenario.ts'

/** The promise was broken. */
export class Divergence extends Error {
  override readonly name = 'Divergence'
}

interface Version {
  readonly row: Row
  /** When it was committed, in milliseconds of the simulation. */
  readonly at: number
}

/** What is to become of a source row: worked out here, without the pipeline. */
type Fate = 'loaded' | 'filtered' | 'quarantined' | 'refused'

function fateOf(row: Row): Fate {
  const label = row.label ?? null
  if (label === LABELS.filtered) return 'filtered'
  if (label === null || label === LABELS.rejected || label === LABELS.tooLong) return 'quarantined'
  return label === REFUSED ? 'refused' : 'loaded'
}

function keyOf(row: Row): string {
  return `${row.region ?? 'null'}/${row.id ?? 'null'}`
}

/** By cursor, then by key: the order in which the last one of a code wins. */
function isLater(one: Row, other: Row): boolean {
  if (one.changed_at !== other.changed_at) return (one.changed_at ?? '') > (other.changed_at ?? '')
  if (one.region !== other.region) return Number(one.region) > Number(other.region)
  return Number(one.id) > Number(other.id)
}

function sameProduct(target: Row, from: Row): boolean {
  return target.label === from.label && target.changed_at === from.changed_at && target.code === from.code
}

function shown(row: Row | undefined): string {
  return row === undefined ? 'nothing' : JSON.stringify(row)
}

/** What the oracle looks at. */
export interface Witness {
  readonly scenario: Scenario
  now(): number
  targetRows(): readonly Row[]
  /** The bytes of a staged object as they were written, whatever became of them. */
  pristine(key: string): Buffer
  /** Every quarantined row that lies in staging. */
  quarantined(): readonly QuarantinedRow[]
  /** The epoch that may write. */
  fence(): string | undefined
  lastRun(): string | null
}

/** The counts of a run, as its landings really were. */
type Counts = Record<'read' | 'inserted' | 'updated' | 'unchanged' | 'filtered' | 'duplicate' | 'quarantined', number>

/** Follows the source's commits and the target's, and compares; it shares no code with the pipeline. */
export class Oracle {
  readonly #witness: Witness
  readonly #history = new Map<string, Version[]>()
  readonly #runs = new Map<string, { counts: Counts; rows: Map<string, number> }>()

  constructor(witness: Witness) {
    this.#witness = witness
  }

  get #incremental(): boolean {
    return this.#witness.scenario.shape.kind === 'incremental'
  }

  /** The source has committed. */
  sourceChanged(changes: readonly Change[]): void {
    const lastRun = this.#witness.lastRun()
    for (const { after } of changes) {
      if (after === null) continue
      const versions = this.#history.get(keyOf(after)) ?? []
      this.#history.set(keyOf(after), [...versions, { row: after, at: this.#witness.now() }])
      const cursor = after.changed_at ?? null
      if (this.#incremental && lastRun !== null && cursor !== null && cursor < lastRun) {
        throw new Divergence(
          `last_run is ${lastRun}, and the source has just committed ${shown(after)}: no run will read it`,
        )
      }
    }
  }

  /** `last_run` has moved, or a full load has committed. */
  committed(before: string | null, after: string | null, runStart: number): void {
    if (this.#incremental && after === null) throw new Divergence('a run committed and left last_run empty')
    if (before !== null && after !== null && after < before)
      throw new Divergence(`last_run went back from ${before} to ${after}`)
    if (this.#witness.scenario.shape.nulls === 'error' && this.#incremental) this.#refuseUnstamped(runStart)
    const landed = ({ row, at }: Version) => {
      const cursor = row.changed_at ?? null
      if (!this.#incremental || cursor === null) return at < runStart && this.#isRead(row)
      return after !== null && cursor < after
    }
    this.#compare(landed, `last_run went to ${after}`)
  }

  /** Rows that no window ever holds must stop a run, where the pipeline says so. */
  #refuseUnstamped(runStart: number): void {
    for (const versions of this.#history.values()) {
      const { row, at } = versions.at(-1) as Version
      if ((row.changed_at ?? null) === null && at < runStart) {
        throw new Divergence(`a run committed and passed over ${shown(row)}, which has no cursor`)
      }
    }
  }

  /** Everything has been read: the target and the quarantine are the source. */
  ended(): void {
    this.#compare(({ row }) => this.#isRead(row), 'everything had been read')
  }

  #isRead(row: Row): boolean {
    return (row.changed_at ?? null) !== null || !this.#incremental || this.#witness.scenario.shape.nulls === 'include'
  }

  /** Holds the target and the quarantine against the latest versions that `landed` accepts. */
  #compare(landed: (version: Version) => boolean, when: string): void {
    const targets = new Map(this.#witness.targetRows().map((row) => [row.code ?? '', row]))
    const byCode = Map.groupBy(this.#history.values(), (versions) => versions[0]?.row.code ?? '')
    let quarantine: readonly QuarantinedRow[] | null = null
    for (const [code, rows] of byCode) {
      const latest = rows.map((versions) => versions.at(-1) as Version).filter(landed)
      this.#compareCode(
        rows,
        latest.map(({ row }) => row),
        targets.get(code),
        when,
      )
      for (const { row } of latest) {
        if (fateOf(row) !== 'quarantined' && fateOf(row) !== 'refused') continue
        quarantine ??= this.#witness.quarantined()
        if (!quarantine.some((kept) => sameRow(kept.row, row))) {
          throw new Divergence(`${when}, but ${shown(row)} is not in the quarantine`)
        }
      }
    }
    for (const [code, row] of targets)
      if (!byCode.has(code)) throw new Divergence(`the target has ${shown(row)}, the source never had`)
  }

  #compareCode(rows: readonly Version[][], latest: readonly Row[], found: Row | undefined, when: string): void {
    const due = latest.filter((row) => fateOf(row) === 'loaded')
    const newest = due.reduce<Row | null>((best, row) => (best === null || isLater(row, best) ? row : best), null)
    if (newest === null && found === undefined) return
    const wrong = () =>
      new Divergence(`${when}, but the target has ${shown(found)} where the source has ${shown(newest ?? undefined)}`)
    if (found === undefined) throw wrong()
    if (newest !== null && sameProduct(found, newest)) return
    const inOneBatch = this.#witness.scenario.shape.partitionRows >= 100
    const allowed = rows.some((versions) => {
      const own = versions.at(-1)?.row as Row
      const isDue = due.includes(own)
      // Of a row that must be there only its latest version may be; of others any that is not older than what must be there.
      return (isDue ? [own] : versions.map(({ row }) => row)).some((row) => {
        if (fateOf(row) !== 'loaded' || !sameProduct(found, row)) return false
        const [cursor, least] = [row.changed_at ?? '', newest?.changed_at ?? '']
        return newest === null || cursor > least || (cursor === least && !(isDue && inOneBatch))
      })
    })
    if (!allowed) throw wrong()
  }

  /** The fence only rises. */
  fenceMoved(changes: readonly Change[]): void {
    for (const { table, before, after } of changes) {
      if (table !== 'dray_fence' || before === null) continue
      if (Number(after?.epoch) < Number(before.epoch)) {
        throw new Divergence(`the fence went back from epoch ${before.epoch} to ${after?.epoch}`)
      }
    }
  }

  /** The target has committed what a load did. */
  landed(input: LoadInput, changes: readonly Change[]): void {
    const products = changes.filter(({ table }) => table === 'product')
    const entry = changes.find(({ table }) => table === 'dray_ledger')?.after
    if (products.length > 0 && entry === undefined)
      throw new Divergence(`${nameOf(input)} wrote rows without its entry in the ledger`)
    if (this.#witness.fence() !== String(input.epoch)) {
      throw new Divergence(
        `${nameOf(input)} wrote with epoch ${input.epoch} when epoch ${this.#witness.fence()} had taken over`,
      )
    }
    if (entry === undefined || entry === null) return
    const runId = entry.run_id ?? ''
    const extracted = this.#rowsOf(input.extracted.key)
    this.#checkWindow(input, extracted)
    this.#checkOnce(runId, input, extracted)
    const counts = this.#countsOf(extracted, products)
    for (const [name, count] of Object.entries(counts)) {
      const said = entry[name === 'read' ? 'rows_read' : name]
      if (said !== String(count))
        throw new Divergence(`${nameOf(input)}: the ledger says ${said} ${name} where ${count} were`)
    }
    this.#checkBatch(runId, input, extracted)
    const run = this.#runs.get(runId)
    if (run === undefined) return
    for (const [name, count] of Object.entries(counts)) run.counts[name as keyof Counts] += count
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
    for (const row of extracted) {
      const cursor = row.changed_at ?? null
      const inside =
        cursor === null ? this.#isRead(row) : (window.lo === null || cursor >= window.lo) && cursor < window.hi
      if (!inside) throw new Divergence(`${nameOf(input)} read ${shown(row)}, outside of [${window.lo}, ${window.hi})`)
    }
  }

  #checkOnce(runId: string, input: LoadInput, extracted: readonly Row[]): void {
    const zero: Counts = { read: 0, inserted: 0, updated: 0, unchanged: 0, filtered: 0, duplicate: 0, quarantined: 0 }
    const run = this.#runs.get(runId) ?? { counts: zero, rows: new Map<string, number>() }
    this.#runs.set(runId, run)
    for (const row of extracted) {
      const other = run.rows.get(keyOf(row))
      if (other !== undefined)
        throw new Divergence(`${nameOf(input)} landed ${shown(row)}, which partition ${other} had landed, too`)
      run.rows.set(keyOf(row), input.partition)
    }
  }

  #countsOf(extracted: readonly Row[], products: readonly Change[]): Counts {
    const fates = Map.groupBy(extracted, fateOf)
    const number = (fate: Fate) => fates.get(fate)?.length ?? 0
    const sent = [...(fates.get('loaded') ?? []), ...(fates.get('refused') ?? [])]
    const duplicate = sent.length - new Set(sent.map(({ code }) => code)).size
    const inserted = products.filter(({ before }) => before === null).length
    const updated = products.length - inserted
    return {
      read: extracted.length,
      inserted,
      updated,
      unchanged: sent.length - duplicate - number('refused') - inserted - updated,
      filtered: number('filtered'),
      duplicate,
      quarantined: number('quarantined') + number('refused'),
    }
  }

  /** What a load has committed is in the target and the quarantine at once, exactly as the transform made it. */
  #checkBatch(runId: string, input: LoadInput, extracted: readonly Row[]): void {
    const targets = new Map(this.#witness.targetRows().map((row) => [row.code, row]))
    const quarantine = this.#witness.quarantined().filter(({ run }) => run === runId)
    const last = new Map(extracted.filter((row) => fateOf(row) === 'loaded').map((row) => [row.code, row]))
    for (const row of last.values()) {
      const found = targets.get(row.code)
      const newer = this.#witness.scenario.shape.versioned && (found?.changed_at ?? '') > (row.changed_at ?? '')
      if (found === undefined || !(sameProduct(found, row) || newer)) {
        throw new Divergence(`${nameOf(input)} has landed, but the target has ${shown(found)} for ${shown(row)}`)
      }
    }
    for (const row of extracted) {
      if (fateOf(row) !== 'quarantined' && fateOf(row) !== 'refused') continue
      if (!quarantine.some((kept) => sameRow(kept.row, row))) {
        throw new Divergence(`${nameOf(input)} has landed, but ${shown(row)} is not in its quarantine`)
      }
    }
  }

  /** A run has succeeded: its record says what its loads did. */
  recorded(runId: string, record: Readonly<Record<string, unknown>> | undefined): void {
    if (record?.status !== 'success') throw new Divergence(`${runId} succeeded, and its step is ${record?.status}`)
    const { counts } = this.#runs.get(runId) ?? { counts: null }
    if (counts === null) throw new Divergence(`${runId} succeeded, and nothing of it has landed`)
    for (const [name, count] of Object.entries(counts)) {
      if (record[name] !== count)
        throw new Divergence(`${runId}: its record says ${record[name]} ${name} where ${count} were`)
    }
  }
}

function nameOf({ run, partition }: LoadInput): string {
  return `${run.id}, partition ${partition}`
}

function sameRow(one: QuarantinedRow['row'], other: Row): boolean {
  return Object.keys(other).every((column) => canonical(one[column] ?? null) === other[column])
}
