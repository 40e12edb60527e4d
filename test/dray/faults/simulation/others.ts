import { DataQualityError } from 'dray/internal/errors.ts'
import type { Clock } from 'dray-infra/internal/states-language/index.ts'
import type { MemoryDatabase } from './memory-database.ts'
import { tableOf } from './models.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'

/** What others write into a row of the target. */
export const OF_OTHERS = { label: 'others', changed_at: '2000-01-01 00:00:00.000000' }

interface Surroundings {
  readonly scenario: Scenario
  readonly clock: Clock
  readonly random: Random
  readonly databases: { readonly source: MemoryDatabase; readonly target: MemoryDatabase }
}

/** Those who write the target of a pipeline that leaves their rows alone, or updates no others. */
export class Others {
  readonly #around: Surroundings
  /** Codes that they have put there. */
  readonly known = new Map<string, 'there' | 'taken away'>()

  constructor(around: Surroundings) {
    this.#around = around
  }

  get #isHere(): boolean {
    return this.#around.scenario.shape.writes !== undefined
  }

  /** What is there before anything runs: about half of what the source has. */
  begin(): void {
    const { databases, scenario } = this.#around
    if (!this.#isHere) return
    const transaction = databases.target.begin()
    for (const code of this.#codes(0.5)) {
      databases.target.put(transaction, tableOf(scenario.shape), { code, ...OF_OTHERS }, null)
      this.known.set(code, 'there')
    }
    databases.target.commit(transaction)
  }

  /** Later, beside the runs, they put more rows there, or take some away where the pipeline updates theirs alone. */
  async run(): Promise<void> {
    const { scenario, clock, random } = this.#around
    const { othersAfterSeconds: seconds } = scenario.world
    if (!this.#isHere || seconds === null) return
    await clock.sleep(seconds * 1000)
    for (const code of this.#codes(0.6)) {
      await clock.sleep(1_000 * random.integer(0, 20))
      if (scenario.shape.writes === 'new keys') await this.#put(code)
      else if (this.known.get(code) === 'there') await this.#takeAway(code)
    }
  }

  #codes(share: number): string[] {
    const { databases, random } = this.#around
    return databases.source.rows('item').flatMap(({ code }) => (code != null && random.chance(share) ? [code] : []))
  }

  /** Unless the pipeline has come first. */
  async #put(code: string): Promise<void> {
    const sql = `insert into "${this.#table}" ("code", "label", "changed_at") values ($1, $2, $3)`
    try {
      await this.#execute(sql, [code, OF_OTHERS.label, OF_OTHERS.changed_at], () => this.known.set(code, 'there'))
    } catch (error) {
      if (!(error instanceof DataQualityError)) throw error
    }
  }

  #takeAway(code: string): Promise<void> {
    const done = () => this.known.set(code, 'taken away')
    return this.#execute(`delete from "${this.#table}" where "code" = $1`, [code], done)
  }

  get #table(): string {
    return tableOf(this.#around.scenario.shape)
  }

  async #execute(sql: string, values: readonly string[], done: () => void): Promise<void> {
    const { target } = this.#around.databases
    const transaction = target.begin()
    try {
      for (;;) {
        const answer = target.execute(transaction, sql, values)
        if ('rows' in answer) break
        await answer.blockedBy.ended
      }
    } catch (error) {
      target.rollback(transaction)
      throw error
    }
    target.commit(transaction)
    done()
  }
}
