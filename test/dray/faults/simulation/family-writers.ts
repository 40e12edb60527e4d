import type { Clock } from 'dray-infra/internal/states-language/index.ts'
import { type FamilyTable, TABLES } from './family-models.ts'
import type { MemoryDatabase } from './memory-database.ts'
import { timeText } from './memory-table.ts'
import type { Random } from './random.ts'

/** Each writer has ids of its own, so that none waits for another one. */
const IDS = 6

/** Applications that write the tables of the source, make one and drop one. */
export class FamilyWriters {
  readonly #database: MemoryDatabase
  readonly #now: () => number
  readonly #clock: Clock
  readonly #random: Random
  #versions = 0

  constructor(database: MemoryDatabase, now: () => number, clock: Clock, random: Random) {
    this.#database = database
    this.#now = now
    this.#clock = clock
    this.#random = random
  }

  begin(rows: number): void {
    for (const table of TABLES.filter(({ name }) => name !== 'later')) this.#make(table, rows)
  }

  async run(writers: number): Promise<void> {
    await Promise.all([
      ...Array.from({ length: writers }, (_, writer) => this.#write(writer)),
      this.#after([20, 400, 3_000], () => this.#make(TABLES.find(({ name }) => name === 'later') as FamilyTable, 3)),
      this.#after([300, 2_000, 9_000], () => {
        if (this.#random.chance(0.5)) this.#database.forget('passing')
      }),
    ])
  }

  async #after(seconds: readonly number[], perform: () => void): Promise<void> {
    await this.#clock.sleep(this.#random.pick(seconds) * 1000)
    perform()
  }

  #make({ name, declaration }: FamilyTable, rows: number): void {
    const transaction = this.#database.begin()
    this.#database.execute(transaction, `create table "${name}" (${declaration})`)
    for (let id = 0; id < rows; id++) {
      const values = [String(id), this.#label(), timeText(this.#now())]
      this.#database.execute(
        transaction,
        `insert into "${name}" ("id", "label", "changed_at") values ($1, $2, $3)`,
        values,
      )
    }
    this.#database.commit(transaction)
  }

  #label(): string | null {
    this.#versions += 1
    return this.#random.chance(0.1) ? null : `v${this.#versions}`
  }

  async #write(writer: number): Promise<void> {
    for (let changes = this.#random.integer(1, 12); changes > 0; changes--) {
      await this.#clock.sleep(1000 * this.#random.pick([1, 5, 30, 200, 2_000]))
      const transaction = this.#database.begin()
      for (let left = this.#random.integer(1, 3); left > 0; left--) {
        const names = this.#database.tableNames()
        const table = this.#random.pick(TABLES.filter(({ name }) => names.includes(name) && name !== 'passing'))
        const id = String(100 + writer * IDS + this.#random.integer(0, IDS - 1))
        const isThere = this.#ids(table, transaction).has(id)
        const values = [id, this.#label(), timeText(this.#now())]
        const isGone = isThere && table.deletions && this.#random.chance(0.3)
        const sql = isGone
          ? `delete from "${table.name}" where "id" = $1`
          : isThere && table.hasKey
            ? `update "${table.name}" set "label" = $2, "changed_at" = $3 where "id" = $1`
            : `insert into "${table.name}" ("id", "label", "changed_at") values ($1, $2, $3)`
        this.#database.execute(transaction, sql, isGone ? [id] : values)
        await this.#clock.sleep(1000 * this.#random.pick([0, 0, 1, 20]))
      }
      this.#database.commit(transaction)
    }
  }

  #ids({ name }: FamilyTable, transaction: Parameters<MemoryDatabase['execute']>[0]): ReadonlySet<string | null> {
    const answer = this.#database.execute(transaction, `select "id" from "${name}"`)
    return new Set('rows' in answer ? answer.rows.map(([id]) => id ?? null) : [])
  }
}
