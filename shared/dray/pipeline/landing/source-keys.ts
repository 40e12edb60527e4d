import { sql } from 'kysely'
import { columnName, readColumn, tableName, where } from '#dray/active-record/sql.ts'
import { type ColumnDefinition, kindsOf } from '#dray/active-record/table-definition.ts'
import type { CopyBlock } from '#dray/block/block.ts'
import { BlockEncoder, linesOf } from '#dray/block/copy-text.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { type SourceTable, sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { WrittenKeys } from '#dray/pipeline/rows/written-keys.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { presentPrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'

const TAB = 9

/** The fields of the pipeline's rows that are the target's key; a key with a NULL in it is no key. */
function selection(pipeline: Pipeline, table: SourceTable) {
  const { extract } = pipeline
  const { definition } = extract.source
  const { adapter } = table
  const columns = columnsOf(definition, pipeline.deletes.key)
  const present = columns.map((column) => sql`${columnName(column)} is not null`)
  const from = sql`${tableName(definition)}${where([...ownRows(extract, table), ...present])}`
  return {
    columns,
    keys: compile(adapter, sql`select ${sql.join(columns.map((column) => readColumn(adapter, column)))} from ${from}`),
    count: compile(adapter, sql`select count(*) from ${from}`),
  }
}

/**
 * Stages every key that the pipeline's rows have, as its texts, in one snapshot. Throws `Terminal` when the source
 * gives other keys than it counts: a limit of the session, or a policy, would have rows deleted that it has.
 */
export function stageSourceKeys(pipeline: Pipeline, runId: string, services: Services): Promise<StagedObject> {
  const { database, definition } = pipeline.extract.source
  const { staging, signal } = services
  return database.transaction(
    () =>
      database.withConnection(async (connection, adapter) => {
        const { columns, keys, count } = selection(pipeline, await sourceTable(pipeline.extract, connection, adapter))
        const whole = new WholeKeys(columns)
        const written = new WrittenKeys(pipeline)
        const staged = await staging.write(
          presentPrefix(runId, pipeline.name),
          { format: 'copy-text', columns: written.columns },
          written.of(
            whole.of(connection.copyOut(keys.sql, keys.parameters, { signal, keepDamaged: kindsOf(columns) })),
          ),
          { signal },
        )
        const counted = Number((await connection.query(count.sql, count.parameters, { signal })).rows[0]?.[0])
        if (whole.given === counted) return staged
        throw new TerminalError(
          `${pipeline.name}: ${definition.database}.${definition.table} counts ${counted} keys and gives ${whole.given}, so it is not known which rows are gone and none was deleted; look for a limit on the rows of a session, or a policy that hides rows from this user`,
        )
      }),
    'snapshot',
  )
}

/** The same keys, read while they are taken; for a comparison that deletes nothing. */
export async function* streamedSourceKeys(pipeline: Pipeline): AsyncGenerator<CopyBlock> {
  const { database } = pipeline.extract.source
  const table = await database.withConnection((connection, adapter) =>
    sourceTable(pipeline.extract, connection, adapter),
  )
  const { keys } = selection(pipeline, table)
  const written = new WrittenKeys(pipeline)
  const encoder = new BlockEncoder()
  for await (const page of database.stream(keys.sql, keys.parameters)) {
    for (const texts of page) {
      const full = encoder.push(written.texts(texts))
      if (full !== null) yield full
    }
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

/** Keys without those that are no text: such a key has one field more, and no row of the target can have it. */
class WholeKeys {
  given = 0
  readonly #columns: readonly ColumnDefinition[]

  constructor(columns: readonly ColumnDefinition[]) {
    this.#columns = columns
  }

  async *of(blocks: AsyncIterable<CopyBlock>): AsyncGenerator<Block> {
    const tabs = this.#columns.length - 1
    for await (const block of blocks) {
      this.given += block.rows
      if (tabsIn(block.bytes) === tabs * block.rows) yield block
      else yield* whole(block, tabs)
    }
  }
}

function* whole(block: CopyBlock, tabs: number): Generator<Block> {
  const lines = linesOf(block).filter((line) => line.split('\t').length === tabs + 1)
  if (lines.length > 0) yield { bytes: Buffer.from(lines.map((line) => `${line}\n`).join('')), rows: lines.length }
}

function tabsIn(bytes: Uint8Array): number {
  let tabs = 0
  for (let at = bytes.indexOf(TAB); at >= 0; at = bytes.indexOf(TAB, at + 1)) tabs += 1
  return tabs
}
