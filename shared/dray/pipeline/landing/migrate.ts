import type { Database } from '#dray/database/database.ts'
import { DataQualityError, TerminalError, TransientError } from '#dray/errors.ts'
import { makeTables } from './migrations/0001-tables.ts'
import { addPlanColumns } from './migrations/0002-plan-columns.ts'
import { addMarks } from './migrations/0003-marks.ts'
import { addSecondTry } from './migrations/0004-second-try.ts'
import { addClosingNotes } from './migrations/0005-closing-notes.ts'
import { addLandedRows } from './migrations/0006-landed-rows.ts'
import { addSpellings } from './migrations/0007-spellings.ts'
import { addToldRows } from './migrations/0008-told-rows.ts'
import { OwnTables } from './migrations/own-tables.ts'

/** In the order of their numbers, from 1. Only ever added to: a target may be at any version that there has been. */
const migrations: readonly ((tables: OwnTables) => Promise<void>)[] = [
  makeTables,
  addPlanColumns,
  addMarks,
  addSecondTry,
  addClosingNotes,
  addLandedRows,
  addSpellings,
  addToldRows,
]
const NEWEST = migrations.length

/**
 * One row for each migration that is done. Tables without it are of version 1, or older than any: the first migration
 * leaves them as they are.
 */
const TABLE = 'dray_migration'

/**
 * Brings Dray's own tables in a target to the version of this code: at Plan, before the fence is raised. Throws
 * `Terminal` when newer code has been there, or when a migration is refused.
 *
 * - **Plans at once** wait for each other (`withMigrationLock`) and look again when it is their turn. A target that is
 *   up to date costs one look, without the lock.
 * - **A crash between two statements**: where DDL is part of a transaction nothing is kept. On MySQL each statement is
 *   kept, and no version yet: the next Plan begins the same migration again, so that each of its statements does
 *   nothing where it has been done.
 * - **Code of before that still runs**, a Load that was under way or a Lambda that is still warm, knows nothing of
 *   versions. So a migration either leaves what that code writes and reads right, or makes its statements fail: its
 *   transactions are rolled back whole, its runs fail and are done again. It must never let that code write what this
 *   one takes for something else. That a migration waits for a transaction of such a Load, and holds up the next ones
 *   meanwhile, is as with any ALTER TABLE: after five minutes it gives up, and is tried again.
 * - **Newer code that has been there**: what its tables mean is not known here, so this code stops before it writes
 *   anything.
 */
export async function migrateTarget(database: Database): Promise<void> {
  await database.withConnection(async (connection, adapter) => {
    const tables = new OwnTables(connection, adapter)
    if ((await versionOf(tables, database)) === NEWEST) return
    try {
      await adapter.schema.withMigrationLock(connection, () => migrate(tables, database))
    } catch (error) {
      throw explained(error, database)
    }
  })
}

/** How many migrations the next Plan does in a target. Throws `Terminal` when newer code has been there. */
export async function migrationsLeft(database: Database): Promise<number> {
  return database.withConnection(async (connection, adapter) => {
    return NEWEST - (await versionOf(new OwnTables(connection, adapter), database))
  })
}

async function migrate(tables: OwnTables, database: Database): Promise<void> {
  const columns = { version: { kind: 'bigint' }, applied_at: { kind: 'timestamp' } } as const
  await tables.create(TABLE, { columns, primaryKey: ['version'] })
  const version = await versionOf(tables, database)
  for (const [place, run] of migrations.entries()) {
    if (place < version) continue
    await run(tables)
    await tables.enter(TABLE, ['version', 'applied_at'], place + 1)
  }
}

class NewerTarget extends TerminalError {}

async function versionOf(tables: OwnTables, { name }: Database): Promise<number> {
  const version = await tables.greatest(TABLE, 'version')
  if (version <= NEWEST) return version
  throw new NewerTarget(
    `the target ${name} has Dray's own tables in version ${version}, and this code knows them up to ${NEWEST}: a newer version of Dray has migrated them, so nothing was read or written. Deploy that version here, too; there is no way back but a backup of the target`,
  )
}

function explained(error: unknown, { name }: Database): unknown {
  if (error instanceof DataQualityError) {
    return new TransientError(
      `${name}: another version of Dray has made its own tables at the same time, so none was made here; tried again, they are found`,
      { cause: error },
    )
  }
  if (!(error instanceof TerminalError) || error instanceof NewerTarget) return error
  return new TerminalError(
    `${name}: Dray's own tables (dray_…) could not be brought to version ${NEWEST}, so nothing was read or written: ${error.message}. Let the role that loads own them, with the right to make and to alter tables, and run again`,
    { cause: error },
  )
}
