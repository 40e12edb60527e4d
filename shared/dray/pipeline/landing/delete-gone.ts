import { type RawBuilder, sql } from 'kysely'
import { boundValue, columnName, tableName } from '#dray/active-record/sql.ts'
import { columnOf } from '#dray/active-record/table-definition.ts'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock } from '#dray/block/copy-text.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import { isTableStep, tableOfStep } from '#dray/messages/step-name.ts'
import { BORNE_DELETES } from '#dray/pipeline/declare/deletes-option.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { columnsOf, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { gonePrefix } from '#dray/staging/keys.ts'
import type { Block } from '#dray/staging/staging-store.ts'
import type { Services } from '../services.ts'
import { closedBefore, recordClosing } from './closing.ts'
import { deleteTree } from './delete-tree.ts'
import type { ForeignKey } from './foreign-keys.ts'
import { GoneRows } from './gone-keys.ts'
import { closeVersions } from './history.ts'
import { deleteKept, rowsOfOthers } from './referring-rows.ts'
import type { ToldKeys } from './told-keys.ts'

interface Run {
  readonly runId: string
  readonly epoch: number
  /** When the run started, in UTC. */
  readonly at: string
}

/** Keys that are not gone, staged: those that the source has, and those that the run has loaded. */
export interface PresentKeys {
  readonly source: StagedObject
  readonly loaded: readonly StagedObject[]
}

/** What other rows make of a deletion. */
interface Surroundings {
  /** The foreign keys that refer to the target. */
  readonly foreign: readonly ForeignKey[]
  /** Of the keys that the run has loaded those that the target has refused, each as one text. */
  readonly refused: ReadonlySet<string>
}

/** What became of rows whose source row is gone. */
export interface Deletion {
  readonly deleted: number
  /** What of other rows went along. */
  readonly notes: readonly string[]
}

/**
 * Deletes (or marks, or closes) the target rows whose source row is gone, in the open transaction, which holds the
 * fence; says how many. Whatever list the keys come from, a row whose key the source has, or this run has loaded, is
 * never touched: the statement that deletes asks for it once more. Throws `DataQuality` when they are more than the
 * pipeline bears, and when the source has no row at all. A row that is marked and present is not marked any more,
 * though no load has written it: under a cursor it may have come back with a stamp from before the window.
 */
export async function deleteGone(
  pipeline: Pipeline,
  run: Run,
  present: PresentKeys,
  surroundings: Surroundings,
  services: Services,
): Promise<Deletion> {
  const { database, definition } = pipeline.load.target
  const { signal } = services
  // Another delivery of this Commit may have come first.
  const before = await closedBefore(database, pipeline.name, run.runId)
  if (before !== null) return before
  const rows = await GoneRows.among(pipeline, () => blocksOf(present, services), signal)
  const back = await unmark(pipeline, rows, run.at, signal)
  const counts = await rows.count(signal)
  guard(pipeline, { ...counts, source: present.source.rows })
  if (counts.gone + back.length === 0) return { deleted: 0, notes: [] }
  const held = { keys: () => blocksOf(present, services), loaded: present.loaded }
  const { deleted, notes: along } = await deleteRows(pipeline, rows, { run, held, surroundings }, services)
  const notes = [...back, ...along]
  const left = await rows.count(signal)
  if (deleted !== counts.gone || left.rows !== counts.rows - counts.gone) {
    throw new TerminalError(
      `${pipeline.name}: ${counts.gone} of ${counts.rows} rows of ${definition.database}.${definition.table} are gone from the source, and ${left.rows} were there after ${deleted} had been deleted, so none was; look for another writer, a trigger, a rule or a policy`,
    )
  }
  await recordClosing(database, { pipeline: pipeline.name, ...run }, { deleted, replaced: 0, notes })
  return { deleted, notes }
}

/**
 * Deletes (or marks, or closes) the target rows of which the source's own rows say that they are deleted, in the open
 * transaction, which holds the fence; says how many. A second delivery finds none.
 */
export async function deleteTold(
  pipeline: Pipeline,
  run: Run,
  { told, loaded }: { readonly told: ToldKeys; readonly loaded: readonly StagedObject[] },
  surroundings: Surroundings,
  services: Services,
): Promise<Deletion> {
  const { signal } = services
  await told.guard()
  if (surroundings.foreign.length === 0) {
    const deleted = await told.removeEach((keys, isWanted) =>
      remove(pipeline, keys, () => isWanted, { ...run, signal }),
    )
    return { deleted, notes: [] }
  }
  const blocks = await told.blocks()
  if (blocks.length === 0) return NOTHING_DELETED
  const held = { keys: () => blocks, loaded }
  const rows = await GoneRows.of(pipeline, held.keys, signal)
  const { gone } = await rows.count(signal)
  if (gone === 0) return NOTHING_DELETED
  const { deleted, notes } = await deleteRows(pipeline, rows, { run, held, surroundings }, services)
  if (deleted !== gone || (await rows.count(signal)).gone !== 0) {
    const { database, table } = pipeline.load.target.definition
    throw new TerminalError(
      `${pipeline.name}: the source says of ${gone} rows of ${database}.${table} that they are deleted, and ${deleted} were, so none was; look for another writer, a trigger, a rule or a policy`,
    )
  }
  return { deleted, notes }
}

export const NOTHING_DELETED: Deletion = { deleted: 0, notes: [] }

async function* blocksOf({ source, loaded }: PresentKeys, { staging, signal }: Services): AsyncGenerator<Block> {
  for (const object of [source, ...loaded]) yield* (await staging.read(object, { signal })).blocks
}

function guard(
  pipeline: Pipeline,
  { rows, gone, source }: { readonly rows: number; readonly gone: number; readonly source: number },
): void {
  const { deletes, extract, load } = pipeline
  const where = `${load.target.definition.database}.${load.target.definition.table}`
  const verb = deletes.kind === 'soft' ? 'marked as deleted' : 'deleted'
  const from = `${extract.source.definition.database}.${extract.source.definition.table}`
  if (source === 0 && rows > 0) {
    throw new DataQualityError(
      '',
      'source_empty',
      `${pipeline.name}: ${from} has no row at all, so none of the ${rows} rows of ${where} was ${verb} and last_run stays where it is; look at the source; when that is right, ${byHand(pipeline, where)}`,
    )
  }
  const raised = isTableStep(pipeline.name)
    ? `overrides: { '${tableOfStep(pipeline.name)}': { most: … } }`
    : `deletes: { ${deletes.kind === 'soft' ? `soft: '${deletes.field}'` : `${deletes.kind}: true`}, most: … }`
  const most = Math.max(BORNE_DELETES, Math.floor(rows * deletes.most))
  if (gone <= most) return
  throw new DataQualityError(
    '',
    'deletes_threshold',
    `${pipeline.name}: ${gone} of ${rows} rows of ${where} have no row in ${from} any more and at most ${most} may be ${verb}, so none was and last_run stays where it is; look at the source, or raise ${raised} when that is right`,
  )
}

function byHand({ deletes, load }: Pipeline, where: string): string {
  if (deletes.field === null) return `delete the rows of ${where} by hand`
  const { database, table } = load.target.definition
  const { column } = columnOf(load.target.definition, deletes.field)
  return `mark them by hand: \`update ${table} set ${column} = current_timestamp where ${column} is null\` in ${database}`
}

interface Work {
  readonly run: Run
  /** The keys by which rows are known to be gone, and those that the run has loaded. */
  readonly held: { readonly keys: OpenBlocks; readonly loaded: readonly StagedObject[] }
  readonly surroundings: Surroundings
}

async function deleteRows(pipeline: Pipeline, gone: GoneRows, work: Work, services: Services): Promise<Deletion> {
  const { run, surroundings } = work
  const { staging, signal } = services
  const columns = columnsOf(pipeline.load.target.definition, pipeline.load.goneBy).map(({ column }) => column)
  // Staged, so that none is deleted while the rows are read.
  const staged = await gone.copy(
    (blocks) =>
      staging.write(
        gonePrefix(run.runId, pipeline.name),
        { format: 'copy-text', columns },
        blocks as AsyncIterable<Block>,
        { signal },
      ),
    signal,
  )
  const { blocks }: { blocks: AsyncIterable<Block> } = await staging.read(staged, { signal })
  const { notes, keeping } = await rowsOfOthers(pipeline, gone, surroundings.foreign)
  const removal: Removal = {
    blocks,
    remove: (keys) => remove(pipeline, keys, (adapter) => gone.ofKeys(adapter, keys), { at: run.at, signal }),
  }
  const done = await deleteKept(pipeline, keeping, () => removeEach(pipeline, gone, work, removal, services))
  return { deleted: done.deleted, notes: [...notes, ...done.notes] }
}

interface Removal {
  readonly blocks: AsyncIterable<Block>
  remove(keys: readonly (readonly Text[])[]): Promise<number>
}

async function removeEach(
  pipeline: Pipeline,
  gone: GoneRows,
  work: Work,
  { blocks, remove }: Removal,
  services: Services,
): Promise<Deletion> {
  const own = work.surroundings.foreign.filter(({ isOwn }) => isOwn)
  if (own.length === 0) {
    let deleted = 0
    for await (const block of blocks) for (const keys of inGroups(decodeBlock(block))) deleted += await remove(keys)
    return { deleted, notes: [] }
  }
  const keys: Text[][] = []
  for await (const block of blocks) for (const key of decodeBlock(block)) keys.push([...key])
  const tree = {
    pipeline,
    gone,
    own,
    held: work.held.keys,
    landed: () => landedKeys(work, services),
    signal: services.signal,
  }
  return deleteTree(tree, keys, remove)
}

/** The keys that the run has loaded, but for those that the target has refused. */
async function* landedKeys({ held, surroundings }: Work, { staging, signal }: Services): AsyncGenerator<CopyBlock> {
  const encoder = new BlockEncoder()
  for (const object of held.loaded) {
    const { blocks }: { blocks: AsyncIterable<Block> } = await staging.read(object, { signal })
    for await (const block of blocks) {
      for (const key of decodeBlock(block)) {
        const full = surroundings.refused.has(keyOf(key)) ? null : encoder.push(key)
        if (full !== null) yield full
      }
    }
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

/** Takes the mark from rows that are present; says how many, since their values are those from before. */
async function unmark(pipeline: Pipeline, rows: GoneRows, at: string, signal: AbortSignal): Promise<string[]> {
  const areBack = rows.areBack
  if (areBack === null) return []
  const { database, definition } = pipeline.load.target
  const affected = await database.withConnection(async (connection, adapter) => {
    const run = (statement: RawBuilder<unknown>) => {
      const { sql: text, parameters } = compile(adapter, statement)
      return connection.query(text, parameters, { signal })
    }
    // Looked for first, since an update of MySQL locks the rows that it looks at.
    const { rows: found } = await run(sql`select 1 from ${tableName(definition)} where ${areBack} limit 1`)
    return found.length === 0 ? 0 : (await run(sql`${mark(pipeline, adapter, false, at)} where ${areBack}`)).affected
  })
  if (affected === 0) return []
  return [
    `${affected} rows of ${definition.database}.${definition.table} that were marked as deleted are in the source, so they are not marked any more; those that this run does not load keep their values from before, and \`npx dray reconcile ${pipeline.name} --deep\` says whether the source has others`,
  ]
}

/** An update of the mark, as any other update of the row: whoever has read it before sees that it has changed. */
function mark({ load, deletes }: Pipeline, adapter: Adapter, isMarked: boolean, at: string) {
  const { definition } = load.target
  const column = columnOf(definition, deletes.field ?? '')
  const set = (one: typeof column, value: unknown) => sql`${columnName(one)} = ${boundValue(adapter, one, value)}`
  const { lockVersion } = definition
  const moment = isMarked ? at : null
  const assignments = [
    set(column, column.field.settings.kind === 'boolean' ? isMarked : moment),
    ...definition.touched
      .filter((one) => one !== column)
      .map((one) => (one === definition.landed ? sql`${columnName(one)} = ${sql.raw(adapter.now)}` : set(one, at))),
    ...(lockVersion === null ? [] : [sql`${columnName(lockVersion)} = ${columnName(lockVersion)} + 1`]),
  ]
  return sql`update ${tableName(definition)} set ${sql.join(assignments)}`
}

/** Deletes, marks or closes the rows of these keys for which the condition holds. */
async function remove(
  pipeline: Pipeline,
  keys: readonly (readonly Text[])[],
  isWanted: (adapter: Adapter) => RawBuilder<unknown>,
  { at, signal }: { readonly at: string; readonly signal: AbortSignal },
): Promise<number> {
  if (pipeline.deletes.kind === 'close') return closeVersions(pipeline, keys, at, { signal })
  const { definition, database } = pipeline.load.target
  return database
    .withConnection(async (connection, adapter) => {
      const work =
        pipeline.deletes.kind === 'soft' ? mark(pipeline, adapter, true, at) : sql`delete from ${tableName(definition)}`
      const statement = compile(adapter, sql`${work} where ${isWanted(adapter)}`)
      return (await connection.query(statement.sql, statement.parameters, { signal })).affected
    })
    .catch((error: unknown) => {
      throw error instanceof DataQualityError ? refusedDeletion(pipeline, error) : error
    })
}

function refusedDeletion({ name, load }: Pipeline, error: DataQualityError): DataQualityError {
  const { definition } = load.target
  return new DataQualityError(
    '',
    error.code,
    `${name}: rows of ${definition.database}.${definition.table} that are gone from the source could not be deleted, so none was and last_run stays where it is: ${error.message}`,
    { cause: error },
  )
}
