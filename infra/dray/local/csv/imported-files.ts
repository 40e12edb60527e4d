import type { Database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { defineModel } from 'dray/internal/active-record/model.ts'
import { TerminalError } from 'dray/internal/errors.ts'
import type { ResolvedTable } from './resolved-table.ts'

function defineImports(database: Database) {
  /** One row a file and table: what has been imported, so that the same file is known when it comes again. */
  return class extends defineModel(
    database,
    { table: 'dray_import', readOnly: false },
    {
      intoTable: varchar(200).primaryKey(),
      sha256: varchar(64).primaryKey(),
      bytes: bigint(),
      file: text(),
      mode: varchar(20),
      rowsRead: bigint(),
      importedAt: timestamp().touch(),
    },
  ) {}
}

export interface ImportedFile {
  readonly file: string
  readonly sha256: string
  readonly bytes: number
  readonly rows: number
  readonly mode: string
}

/** Which files have been imported into a table; kept in its database, by the transaction that imports them. */
export class ImportedFiles {
  readonly #database: Database
  readonly #table: ResolvedTable
  readonly #model: ReturnType<typeof defineImports>
  #isThere = false
  /** Why it cannot be remembered. */
  #refusal: string | null = null

  constructor(database: Database, table: ResolvedTable) {
    this.#database = database
    this.#table = table
    this.#model = defineImports(database)
  }

  async open(): Promise<void> {
    this.#isThere = (await this.#database.withConnection((one) => one.describe(this.#model.definition.table))) !== null
  }

  /**
   * Before the transaction of the import: of two at once, neither would see the table that the other one makes.
   */
  async prepare(): Promise<void> {
    if (this.#isThere) return
    this.#refusal = await this.#refusalOf(async () => {
      await this.#model.createTable({ ifMissing: true })
      this.#isThere = true
    })
  }

  /** Whether a file of this length has been imported. */
  async hasLength(bytes: number): Promise<boolean> {
    if (!this.#isThere) return false
    return this.#model.where({ intoTable: [...this.#table.spellings], bytes: BigInt(bytes) }).exists()
  }

  /** When the file was imported, as what: `2026-11-28 10:00:00 UTC as orders.csv`; null when it was not. */
  async find(sha256: string): Promise<string | null> {
    if (!this.#isThere) return null
    const found = await this.#model.where({ intoTable: [...this.#table.spellings], sha256 }).first()
    return found === null ? null : `${found.importedAt.slice(0, 19)} UTC as ${found.file}`
  }

  /**
   * In the transaction of the import. `isAlone`: the table is new or was emptied, and has nothing of other files.
   * `isNew` is false for a file that was there: the key of its row has waited for an import of it at the same time.
   * `refusal` says why the file is not remembered, where a role may not do that.
   */
  async remember(
    { file, sha256, bytes, rows, mode }: ImportedFile,
    isAlone: boolean,
  ): Promise<{ readonly isNew: boolean; readonly refusal: string | null }> {
    let isNew = true
    const { name, spellings } = this.#table
    this.#refusal ??= await this.#refusalOf(() =>
      this.#database.transaction(async () => {
        if (isAlone) await this.#model.deleteAll({ intoTable: [...spellings] })
        const row = { intoTable: name, sha256, bytes: BigInt(bytes), file, mode, rowsRead: BigInt(rows) }
        const { inserted } = await this.#model.upsertAll([row], {})
        isNew = inserted === 1
      }),
    )
    return { isNew, refusal: this.#refusal }
  }

  async #refusalOf(work: () => Promise<void>): Promise<string | null> {
    try {
      await work()
      return null
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error
      return `the file is not remembered, and would not be known if it came again (${error.message}); let the role make the table ${this.#model.definition.table}, and write into it`
    }
  }
}
