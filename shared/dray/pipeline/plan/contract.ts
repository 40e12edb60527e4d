import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Connection, LiveColumn, LiveTable } from '#dray/database/adapter.ts'
import type { Spelling } from '#dray/database/capabilities.ts'
import { TerminalError } from '#dray/errors.ts'
import { isTableStep } from '#dray/messages/step-name.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { askedModel } from './asked-model.ts'
import { isKeyDeclaredAlone, isView } from './declared-key.ts'
import { refuseFarOpen } from './far-open.ts'
import { forgottenSpellings } from './forgotten-spellings.ts'
import { refuseSameTexts } from './same-texts.ts'

/** The live columns when a run was planned, of the source and of the target. */
export interface PlannedSchema {
  readonly source: readonly LiveColumn[]
  readonly target: readonly LiveColumn[]
  /** See `forgottenSpellings`; left out by plans of before. */
  readonly forgotten?: readonly Spelling[] | null
  /** The source lets several rows have the key that its model declares: a view, a table without such an index. */
  readonly isKeyDeclaredAlone?: true
  /** The source is a view, in which a row comes twice by how it joins, and not by an accident. */
  readonly isView?: true
}

export type Side = 'source' | 'target'

/**
 * At Plan: holds the models against their live tables. Throws `Terminal` when a column that is needed is missing or of
 * another kind, and under `contract: 'freeze'` for any other difference, too; otherwise those are in the notes.
 */
export async function checkContract(
  pipeline: Pipeline,
): Promise<{ readonly schema: PlannedSchema; readonly notes: readonly string[] }> {
  const models = { source: askedModel(pipeline.extract), target: pipeline.load.target }
  const differences = [...(await models.source.checkSchema()), ...(await models.target.checkSchema())]
  if (differences.length > 0) {
    throw new TerminalError(
      `${pipeline.name}: the models do not fit the databases, so nothing was read: ${differences.map(({ message }) => message).join('; ')}`,
    )
  }
  const live = { source: await describe(models.source), target: await describe(models.target) }
  refuseComputed(pipeline, live.target)
  await refuseFarOpen(pipeline, live.target)
  await refuseSameTexts(pipeline, live.source?.columns ?? [])
  const others = [
    ...otherDifferences(pipeline.extract.model, live.source),
    ...otherDifferences(models.target, live.target),
  ]
  if (pipeline.contract === 'freeze' && others.length > 0) {
    throw new TerminalError(
      `${pipeline.name}: the databases differ from the models and the pipeline says contract: 'freeze', so nothing was read: ${others.join('; ')}; change the model or the table, or say contract: 'evolve'`,
    )
  }
  const columns = { source: live.source?.columns ?? [], target: live.target?.columns ?? [] }
  return {
    schema: {
      ...columns,
      forgotten: await forgottenSpellings(pipeline, columns),
      ...(isKeyDeclaredAlone(models.source.definition, live.source)
        ? { isKeyDeclaredAlone: true, ...((await isView(models.source)) ? { isView: true } : {}) }
        : {}),
    },
    // A replica says itself what it leaves out.
    notes: pipeline.columns.areFollowed || isTableStep(pipeline.name) ? [] : notesOfUnknown(pipeline, live.source),
  }
}

/** A computed column takes nothing, so each row would be refused. */
function refuseComputed({ name, load: { target } }: Pipeline, live: LiveTable | null): void {
  const { definition } = target
  const computed = new Set((live?.columns ?? []).filter(({ isComputed }) => isComputed).map((column) => column.name))
  const written = bulkColumns(definition).filter(({ column }) => computed.has(column))
  if (written.length === 0) return
  const [columns, fields] = [written.map(({ column }) => column), written.map((column) => column.name)]
  throw new TerminalError(
    `${name}: the database computes ${columns.join(', ')} of ${definition.database}.${definition.table} itself, so nothing can be written there, and nothing was read; leave ${fields.join(', ')} out of the model`,
  )
}

function describe({ database, definition }: AnyModel): Promise<LiveTable | null> {
  return database.withConnection((connection) => connection.describe(definition.table))
}

function unknownColumns({ definition }: AnyModel, live: LiveTable | null): string[] {
  const unknown = (live?.columns ?? []).map(({ name }) => name).filter((name) => !definition.columnNames.includes(name))
  if (unknown.length === 0) return []
  const columns = unknown.length === 1 ? 'a column' : 'columns'
  return [
    `${definition.database}.${definition.table} has ${columns} that the model does not know, left alone: ${unknown.join(', ')}`,
  ]
}

/** With what would load them. */
function notesOfUnknown({ extract: { model } }: Pipeline, live: LiveTable | null): string[] {
  const { database, table } = model.definition
  return unknownColumns(model, live).map((note) =>
    model.definition.query !== undefined
      ? note
      : `${note}; to load them: npx dray schema pull ${database}.${table} shows their fields, add them to both models, then npx dray schema plan; or say columns: 'follow', which takes over each new column`,
  )
}

/** What a run can live with. */
function otherDifferences(model: AnyModel, live: LiveTable | null): string[] {
  const where = `${model.definition.database}.${model.definition.table}`
  const sizes = model.definition.columns.flatMap((column) => {
    const found = live?.columns.find(({ name }) => name === column.column)
    const size = found === undefined ? null : otherSize(column, found)
    return size === null ? [] : [`${where}.${column.column} is ${found?.type}, the model says ${size}`]
  })
  return [...unknownColumns(model, live), ...sizes]
}

/** The size that the model gives, where the live type has another one. */
function otherSize({ field }: ColumnDefinition, { type }: LiveColumn): string | null {
  const { kind, length, precision, scale } = field.settings
  const sizes = /\((\d+)(?:,(\d+))?\)/.exec(type)
  if (sizes === null) return null
  const [, first, second = '0'] = sizes
  if (kind === 'varchar' && /char/i.test(type) && Number(first) !== length) return `varchar(${length})`
  if (kind === 'binary' && length !== null && /^(var)?binary/i.test(type) && Number(first) !== length)
    return `binary(${length})`
  const isDecimal = kind === 'decimal' && /numeric|decimal/i.test(type)
  if (isDecimal && (Number(first) !== precision || Number(second) !== scale)) return `decimal(${precision}, ${scale})`
  return null
}

/**
 * At Extract and Load, after the rows have been read or written and while they are held: throws `Terminal` when the
 * table is not as it was when the run was planned.
 */
export async function checkUnchanged(
  pipeline: Pipeline,
  side: Side,
  planned: PlannedSchema | undefined,
  connection: Connection,
): Promise<void> {
  if (planned === undefined) return
  const { definition } = side === 'source' ? askedModel(pipeline.extract) : pipeline.load.target
  const live = await connection.describe(definition.table)
  const names = new Set([...planned[side], ...(live?.columns ?? [])].map(({ name }) => name))
  const changes = [...names].flatMap((name) => {
    if (pipeline.contract !== 'freeze' && !definition.columnNames.includes(name)) return []
    const was = planned[side].find((column) => column.name === name)
    const is = live?.columns.find((column) => column.name === name)
    return changeOf(name, was, is)
  })
  if (changes.length === 0) return
  throw new TerminalError(
    `${pipeline.name}: ${definition.database}.${definition.table} has changed since this run was planned: ${changes.join('; ')}; so nothing of it was kept and last_run stays where it is; look whether the model still fits, then run the workflow again`,
  )
}

function changeOf(name: string, was: LiveColumn | undefined, is: LiveColumn | undefined): string[] {
  if (was === undefined) return [`the column ${name} is new`]
  if (is === undefined) return [`the column ${name} is gone`]
  if (was.type !== is.type) return [`the column ${name} was ${was.type} and is ${is.type}`]
  if (was.nullable !== is.nullable)
    return [`the column ${name} ${is.nullable ? 'may be NULL now' : 'may not be NULL any more'}`]
  return []
}
