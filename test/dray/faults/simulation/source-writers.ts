import type { Clock } from 'dray-infra/internal/states-language/index.ts'
import type { MemoryDatabase } from './memory-database.ts'
import { timeText } from './memory-table.ts'
import type { MemoryTransaction } from './memory-transaction.ts'
import { DROPPED_LABEL, LABELS, REFUSED, SWALLOWED_LABEL } from './models.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'

/** No run reads as far as this. */
export const FAR = '2080-01-01 00:00:00.000000'
const FAR_STAMPS = ['2087-03-01 12:00:00.000000', '9000-01-01 00:00:00.000000']
/** Fewer than the pipeline bears in its quarantine. */
const MOST_POISON = 8
const ROW = '"region", "id", "code", "label", "changed_at"'

interface Known {
  readonly region: string | null
  readonly id: string | null
  code: string
  label: string | null
  busy: boolean
  /** Not there, for the time being. */
  gone: boolean
}

/** The application whose tables are read: it inserts and updates, stamps each change, and commits when it likes. */
export class SourceWriters {
  readonly #scenario: Scenario
  readonly #random: Random
  readonly #clock: Clock
  readonly #database: MemoryDatabase
  readonly #rows: Known[] = []
  /** Codes of rows that have been deleted once, and so have been there. */
  readonly #committed = new Set<string>()
  #poison = 0
  #numbers = 0
  /** Labels of rows that are gone, where no two rows may have the same. */
  readonly #freed: string[] = []

  constructor(scenario: Scenario, random: Random, clock: Clock, database: MemoryDatabase) {
    this.#scenario = scenario
    this.#random = random
    this.#clock = clock
    this.#database = database
  }

  /** The rows that are there before anything runs. */
  begin(): void {
    const { initialRows, missingCursors, missingKey } = this.#scenario
    const transaction = this.#database.begin()
    for (let index = 0; index < initialRows; index++) this.#insert(transaction, this.#now())
    for (let index = 0; index < missingCursors; index++) this.#insert(transaction, null)
    if (missingKey) this.#insert(transaction, this.#now(), { region: '2', id: null })
    this.#database.commit(transaction)
    for (const row of this.#rows) row.busy = false
  }

  /** All writers; ends when the last has committed. */
  async run(): Promise<void> {
    const writers = Array.from({ length: this.#scenario.writers }, () => this.#write(this.#random.fork()))
    const { purgedAfterSeconds } = this.#scenario
    if (purgedAfterSeconds !== null)
      writers.push(this.#clock.sleep(purgedAfterSeconds * 1000).then(() => this.#purge()))
    await Promise.all(writers)
  }

  /** Somebody empties nearly the whole table. */
  #purge(): void {
    const transaction = this.#database.begin()
    for (const row of this.#rows.slice(1)) {
      if (row.busy || row.gone) continue
      this.#delete(transaction, row)
      row.busy = false
    }
    this.#database.commit(transaction)
  }

  /** And puts it back. */
  restore(): void {
    const transaction = this.#database.begin()
    for (const row of this.#rows) if (row.gone) this.#comeBack(transaction, row, this.#now())
    this.#database.commit(transaction)
    for (const row of this.#rows) row.busy = false
  }

  /** Keys of rows that were there at one time. */
  get keys(): readonly (readonly [string, string])[] {
    return this.#rows.flatMap(({ region, id }) => (region === null || id === null ? [] : [[region, id] as const]))
  }

  /** Somebody fills in what is missing. */
  stampMissing(): void {
    const transaction = this.#database.begin()
    const stamp = this.#now()
    this.#database.execute(transaction, 'update "item" set "changed_at" = $1 where "changed_at" is null', [stamp])
    this.#database.commit(transaction)
  }

  /** Stamps that lie far ahead are corrected. */
  correctStamps(): void {
    const transaction = this.#database.begin()
    const sql = 'update "item" set "changed_at" = $1 where "changed_at" >= $2'
    this.#database.execute(transaction, sql, [this.#now(), FAR])
    this.#database.commit(transaction)
  }

  #now(): string {
    return timeText(this.#database.options.now())
  }

  async #write(random: Random): Promise<void> {
    await this.#clock.sleep(1000 * random.integer(0, random.pick([10, 400, 9_000])))
    for (let count = random.integer(1, 4); count > 0; count--) {
      await this.#transaction(random)
      await this.#clock.sleep(1000 * random.integer(0, random.pick([0, 60, 2_000])))
    }
  }

  async #transaction(random: Random): Promise<void> {
    const { longestWriterSeconds, world } = this.#scenario
    const transaction = this.#database.begin()
    const before = world.stampedBeforeSeconds === 0 ? 0 : 1000 * random.integer(0, world.stampedBeforeSeconds)
    const started = timeText(this.#database.options.now() - before)
    const claimed: Known[] = []
    const changes = random.integer(1, 3)
    for (let change = 0; change < changes; change++) {
      const wait = Math.floor(random.integer(0, longestWriterSeconds) / (2 * changes))
      if (random.chance(0.5)) await this.#clock.sleep(1000 * wait)
      // As `now()` does, or as `clock_timestamp()` does.
      const stamp = random.chance(0.5) ? started : this.#now()
      const isFar = world.futureStamps > 0 && random.chance(world.futureStamps)
      claimed.push(...this.#change(transaction, random, isFar ? random.pick(FAR_STAMPS) : stamp))
      if (random.chance(0.5)) await this.#clock.sleep(1000 * wait)
    }
    if (random.chance(0.15)) {
      this.#database.rollback(transaction)
      for (const row of claimed) this.#forgetUnlessKnown(row)
    } else {
      this.#database.commit(transaction)
      for (const row of claimed) if (row.gone && row.label?.startsWith('u')) this.#freed.push(row.label)
    }
    for (const row of claimed) row.busy = false
  }

  /** After a rollback: as it was before; what never was there is no row. */
  #forgetUnlessKnown(row: Known): void {
    const found = this.#database.rows('item').find(({ region, id }) => region === row.region && id === row.id)
    row.gone = found === undefined
    row.code = found?.code ?? row.code
    row.label = found?.label ?? row.label
    const place = this.#rows.indexOf(row)
    if (row.gone && !this.#committed.has(row.code) && place >= 0) this.#rows.splice(place, 1)
  }

  #change(transaction: MemoryTransaction, random: Random, stamp: string): Known[] {
    const { deletions, world } = this.#scenario
    const free = this.#rows.filter(({ busy, id }) => !busy && id !== null)
    const row = free.length === 0 || random.chance(0.25) ? undefined : random.pick(free)
    if (row === undefined) return [this.#insert(transaction, stamp)]
    row.busy = true
    if (row.gone) return [this.#comeBack(transaction, row, stamp)]
    // One row stays: that a source has none at all is another matter.
    if (row !== this.#rows[0] && deletions > 0 && random.chance(deletions)) return [this.#delete(transaction, row)]
    if (world.swaps > 0 && random.chance(world.swaps)) return this.#swap(transaction, row, free, random, stamp)
    if (world.respells > 0 && random.chance(world.respells)) row.code = this.#otherSpelling(row.code)
    if (world.respells === 0 || random.chance(0.5)) row.label = this.#label()
    this.#update(transaction, row, stamp)
    return [row]
  }

  #update(transaction: MemoryTransaction, row: Known, stamp: string): void {
    this.#database.execute(
      transaction,
      'update "item" set "code" = $1, "label" = $2, "changed_at" = $3 where "region" = $4 and "id" = $5',
      [row.code, row.label, stamp, row.region, row.id],
    )
  }

  /** Two rows, or three, give each other their labels. */
  #swap(transaction: MemoryTransaction, row: Known, free: readonly Known[], random: Random, stamp: string): Known[] {
    const others = free.filter((one) => one !== row && !one.gone).slice(0, random.integer(1, 2))
    const ring = [row, ...others]
    const labels = ring.map(({ label }) => label)
    for (const [place, one] of ring.entries()) {
      one.busy = true
      one.label = labels[(place + 1) % ring.length] ?? null
      this.#update(transaction, one, stamp)
    }
    return ring
  }

  /** The code in capitals that no row has, nor gets back after a rollback; the same where they all are taken. */
  #otherSpelling(code: string): string {
    const rest = code.slice(2)
    const taken = new Set([...this.#rows, ...this.#database.rows('item')].map((row) => row.code))
    const spellings = ['ab', 'Ab', 'aB', 'AB'].map((head) => head + rest).filter((spelling) => !taken.has(spelling))
    return spellings.length === 0 ? code : this.#random.pick(spellings)
  }

  #delete(transaction: MemoryTransaction, row: Known): Known {
    row.gone = true
    this.#committed.add(row.code)
    const [where, key] =
      row.id === null
        ? ['"region" = $1 and "id" is null', [row.region]]
        : ['"region" = $1 and "id" = $2', [row.region, row.id]]
    this.#database.execute(transaction, `delete from "item" where ${where}`, key)
    return row
  }

  #comeBack(transaction: MemoryTransaction, row: Known, stamp: string): Known {
    row.busy = true
    row.gone = false
    row.label = this.#label()
    const values = [row.region, row.id, row.code, row.label, stamp]
    this.#database.execute(transaction, `insert into "item" (${ROW}) values ($1, $2, $3, $4, $5)`, values)
    return row
  }

  #insert(
    transaction: MemoryTransaction,
    stamp: string | null,
    key?: { region: string | null; id: string | null },
  ): Known {
    this.#numbers += 1
    const number = this.#numbers
    const { region, id } = key ?? {
      region: String(1 + (number % 3)),
      id: String(this.#random.integer(1, 12) * (this.#scenario.initialRows < 90 ? 100 : 1_000) + number),
    }
    const code = this.#scenario.sharedCodes ? this.#sharedCode(number % 4) : this.#ownCode(`${region}-${id}`)
    const row = { region, id, code, label: this.#label(), busy: true, gone: false }
    this.#rows.push(row)
    const values = [region, id, code, row.label, stamp]
    this.#database.execute(transaction, `insert into "item" (${ROW}) values ($1, $2, $3, $4, $5)`, values)
    return row
  }

  /** One of a few codes, in one of two spellings where the target takes them for one. */
  #sharedCode(number: number): string {
    return `${this.#scenario.shape.table === 'spelled' && this.#random.chance(0.5) ? 'C' : 'c'}${number}`
  }

  /** Where keys are respelled, now and then that of another row in other capitals. */
  #ownCode(code: string): string {
    if (this.#scenario.world.respells === 0) return code
    const spelled = `ab${code}`
    if (this.#rows.length === 0 || !this.#random.chance(0.15)) return spelled
    const other = this.#random.pick(this.#rows).code
    const twin = this.#otherSpelling(other)
    return twin === other ? spelled : twin
  }

  #label(): string | null {
    const { world, shape } = this.#scenario
    const poison = this.#poison < MOST_POISON && this.#random.chance(0.2)
    if (poison) {
      this.#poison += 1
      const dropped = shape.load === 'replace' ? SWALLOWED_LABEL : DROPPED_LABEL
      const refused = world.trigger === 'drops rows' ? [dropped, dropped, REFUSED] : [REFUSED, REFUSED]
      return this.#random.pick([LABELS.rejected, null, LABELS.tooLong, LABELS.huge, ...refused])
    }
    if (shape.deletes === 'told' && this.#random.chance(0.3)) return LABELS.erased
    if (this.#random.chance(0.15)) return LABELS.filtered
    if (world.swaps > 0) return (this.#random.chance(0.5) ? this.#freed.pop() : undefined) ?? `u${this.#numbers++}`
    if (this.#random.chance(0.1)) return LABELS.odd
    return `v${this.#random.integer(1, 9_999)}`
  }
}
