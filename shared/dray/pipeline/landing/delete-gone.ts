import { sql } from 'kysely'
import { boundValue, columnName, tableName } from '#dray/active-record/sql.ts'
import { columnOf } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { decodeBlock } from '#dray/block/copy-text.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { BORNE_DELETES } from '#dray/pipeline/declare/deletes-option.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { columnsOf, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { closedBefore, recordClosing } from './closing.ts'
import { goneKeys, type KeyCounts, liveRowsOf } from './gone-keys.ts'
import { closeVersions } from './history.ts'
import { checkFence } from './ledger.ts'

interface Run {
  readonly runId: string
  readonly epoch: number
  /** When the run started, in UTC. */
  readonly at: string
  /** Where the keys of what is gone are staged. */
  readonly prefix: string
}

/**
 * Deletes (or marks, or closes) the target rows whose source row is gone, in one transaction behind the fence; says how
 * many. Throws `DataQuality` when they are more than the pipeline bears, and when the source has no row at all.
 */
export async function deleteGone(pipeline: Pipeline, run: Run, services: Services): Promise<number> {
  const { database, definition } = pipeline.load.target
  const before = await closedBefore(database, pipeline.name, run.runId)
  if (before !== null) return before.deleted
  const counts: KeyCounts = { source: 0, target: 0 }
  const columns = columnsOf(definition, pipeline.load.by).map(({ column }) => column)
  // Staged, so that it is known how many they are before the first is deleted.
  const gone = await services.staging.write(
    run.prefix,
    { format: 'copy-text', columns },
    goneKeys(pipeline, counts, services.signal),
    { signal: services.signal },
  )
  if (gone.rows === 0) return (await closedBefore(database, pipeline.name, run.runId))?.deleted ?? 0
  guard(pipeline, gone.rows, counts)
  return database.transaction(async () => {
    await checkFence(database, pipeline.name, run.epoch, 'update')
    // Another delivery of this Commit may have come first.
    const meanwhile = await closedBefore(database, pipeline.name, run.runId)
    if (meanwhile !== null) return meanwhile.deleted
    const deleted = await deleteStaged(pipeline, gone, run, services)
    if (deleted !== gone.rows) {
      throw new TerminalError(
        `${pipeline.name}: ${deleted} of ${gone.rows} rows of ${definition.database}.${definition.table} whose source row is gone could be deleted, so none was; look for another writer, a trigger or a rule`,
      )
    }
    await recordClosing(database, { pipeline: pipeline.name, ...run }, { deleted, replaced: 0 })
    return deleted
  })
}

function guard(pipeline: Pipeline, gone: number, { source, target }: KeyCounts): void {
  const { deletes, extract, load } = pipeline
  const where = `${load.target.definition.database}.${load.target.definition.table}`
  const from = `${extract.source.definition.database}.${extract.source.definition.table}`
  if (source === 0) {
    throw new DataQualityError(
      '',
      'source_empty',
      `${pipeline.name}: ${from} has no row at all, so none of the ${target} rows of ${where} was deleted and last_run stays where it is; look at the source, and empty the target by hand when that is right`,
    )
  }
  const most = Math.max(BORNE_DELETES, Math.floor(target * deletes.most))
  if (gone <= most) return
  throw new DataQualityError(
    '',
    'deletes_threshold',
    `${pipeline.name}: ${gone} of ${target} rows of ${where} have no row in ${from} any more and at most ${most} may be deleted, so none was and last_run stays where it is; look at the source, or raise deletes: { ${deletes.kind === 'soft' ? `soft: '${deletes.field}'` : `${deletes.kind}: true`}, most: … } when that is right`,
  )
}

async function deleteStaged(
  pipeline: Pipeline,
  gone: StagedObject,
  run: Run,
  { staging, signal }: Services,
): Promise<number> {
  const { blocks }: { blocks: AsyncIterable<Block> } = await staging.read(gone, { signal })
  let deleted = 0
  for await (const block of blocks) {
    for (const keys of inGroups(decodeBlock(block))) {
      deleted +=
        pipeline.deletes.kind === 'close'
          ? await closeVersions(pipeline, keys, run.at, { signal })
          : await deleteKeys(pipeline, keys, run.at, signal)
    }
  }
  return deleted
}

async function deleteKeys(
  pipeline: Pipeline,
  keys: readonly (readonly Text[])[],
  at: string,
  signal: AbortSignal,
): Promise<number> {
  const { definition, database } = pipeline.load.target
  const { kind, field } = pipeline.deletes
  return database.withConnection(async (connection, adapter) => {
    const table = tableName(definition)
    const rows = liveRowsOf(pipeline, adapter, keys)
    const mark = () => {
      const column = columnOf(definition, field ?? '')
      const set = (one: typeof column, value: unknown) => sql`${columnName(one)} = ${boundValue(adapter, one, value)}`
      // As any other update of the row: whoever has read it before sees that it has changed.
      const { lockVersion } = definition
      const assignments = [
        set(column, column.field.settings.kind === 'boolean' ? true : at),
        ...definition.touched.filter((one) => one !== column).map((one) => set(one, at)),
        ...(lockVersion === null ? [] : [sql`${columnName(lockVersion)} = ${columnName(lockVersion)} + 1`]),
      ]
      return sql`update ${table} set ${sql.join(assignments)} where ${rows}`
    }
    const statement = compile(adapter, kind === 'soft' ? mark() : sql`delete from ${table} where ${rows}`)
    return (await connection.query(statement.sql, statement.parameters, { signal })).affected
  })
}
