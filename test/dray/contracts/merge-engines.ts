import { after, before, describe } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import type { Dialect, MergeResult, MergeTarget } from 'dray/internal/database/adapter.ts'
import { openServer as openMysql, skip } from '#test/database/mysql/opened-server.ts'
import { openServer as openPostgres } from '#test/database/postgres/opened-server.ts'
import { openFile } from '#test/database/sqlite/opened-file.ts'

interface Opened {
  query(sql: string): Promise<readonly (readonly Text[])[]>
  /** Merges rows in a transaction of their own. */
  merge(target: MergeTarget, rows: readonly (readonly Text[])[]): Promise<MergeResult>
  close(): Promise<void>
}

/** One engine, with a database of its own. */
export interface MergeEngine extends Omit<Opened, 'close'> {
  readonly dialect: Dialect
}

/** Runs a suite of merges on SQLite, PostgreSQL and MariaDB. */
export function onEachMergeEngine(name: string, suite: (engine: MergeEngine) => void): void {
  engine('sqlite', openFile)
  engine('postgres', openPostgres)
  engine('mysql', openMysql, skip)

  function engine(dialect: Dialect, open: () => Promise<Opened>, skipped: string | false = false): void {
    describe(`${name} on ${dialect}`, { skip: skipped }, () => {
      let opened: Opened
      before(async () => {
        opened = await open()
      })
      after(() => opened.close())
      suite({
        dialect,
        query: (sql) => opened.query(sql),
        merge: (target, rows) => opened.merge(target, rows),
      })
    })
  }
}

/** Inserted, updated, unchanged, duplicate, and the rows rejected with their codes. */
export function outcomeOf({ inserted, updated, unchanged, duplicate, rejected }: MergeResult): readonly unknown[] {
  return [inserted, updated, unchanged, duplicate, ...rejected.map(({ row, code }) => `${row}: ${code}`)]
}
