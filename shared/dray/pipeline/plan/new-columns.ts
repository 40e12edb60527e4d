import { type Candidates, candidatesOf } from '#dray/active-record/candidates.ts'
import { type FieldType, typeOf } from '#dray/active-record/field-type.ts'
import { fittingTypes } from '#dray/active-record/fitting-types.ts'
import { camelCase, habitOf, inHabit } from '#dray/active-record/names.ts'
import type { Adapter, Connection, LiveColumn, LiveTable } from '#dray/database/adapter.ts'
import type { Alteration } from '#dray/database/alterations.ts'
import { LEFT, OTHER_TYPE } from '#dray/messages/column-notes.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { FollowedColumn } from '#dray/pipeline/rows/followed-columns.ts'
import { notesOfGone } from './gone-columns.ts'
import { type HeldTypes, held, holdable, wantedColumn } from './held-types.ts'
import { isWider, wideningOf } from './wider-columns.ts'

/** A column that the target does not have yet, with the statement that adds it. */
export interface MissingColumn {
  readonly column: FollowedColumn
  readonly alteration: Alteration
}

/** A column that the target has with less room than the source, with the statement that widens it. */
export interface WiderColumn {
  readonly column: FollowedColumn
  /** As it is afterwards. */
  readonly wide: FollowedColumn
  readonly alteration: Alteration
}

/** What becomes of the columns of the source that its model does not know. */
export interface NewColumns {
  /** The target has them, or is going to be made with them. */
  readonly columns: readonly FollowedColumn[]
  readonly missing: readonly MissingColumn[]
  /** Of the columns that the target has. */
  readonly wider: readonly WiderColumn[]
  /** Sentences on those that are not taken over. */
  readonly notes: readonly string[]
}

const NOTHING: NewColumns = { columns: [], missing: [], wider: [], notes: [] }

interface Side {
  readonly where: string
  readonly adapter: Adapter
  readonly live: LiveTable | null
}

/** A new column with the name that it would have in the target. */
interface Candidate {
  readonly live: LiveColumn
  readonly target: string
  readonly found: LiveColumn | undefined
}

/** Finds out which columns of the source a pipeline that follows them takes over. Changes nothing. */
export async function newColumns(pipeline: Pipeline): Promise<NewColumns> {
  if (!pipeline.columns.areFollowed) return NOTHING
  const { source } = pipeline.extract
  const { target } = pipeline.load
  const [from, to] = [await sideOf(source), await sideOf(target)]
  const { except } = pipeline.columns
  const known = new Set([...pipeline.extract.model.definition.columnNames, ...except])
  const unknown = (from.live?.columns ?? []).filter(({ name }) => !known.has(name))
  const absent = except.filter((name) => !from.live?.columns.some((column) => column.name === name))
  const missed = absent.map(
    (name) =>
      `columns: { except } names ${name}, which ${from.where} does not have, so nothing is left out by that name; look at its spelling`,
  )
  missed.push(...(await notesOfGone(pipeline, from.live, to.live)))
  if (unknown.length === 0) return { ...NOTHING, notes: missed }
  const { candidates, notes } = named(pipeline, unknown, to)
  notes.push(...missed)
  const wider: WiderColumn[] = []
  const columns: FollowedColumn[] = []
  const absentThere: FollowedColumn[] = []
  const properties = propertiesFor(pipeline, candidates)
  for (const [place, candidate] of candidates.entries()) {
    const name = properties[place] as string
    const pair = await pairOf(pipeline, candidate, from, to)
    if (pair === null) {
      notes.push(otherType(pipeline, candidate, to))
      continue
    }
    const column = {
      name,
      source: { ...pair.source, column: candidate.live.name },
      target: { ...pair.target, column: candidate.target },
    }
    if (candidate.found === undefined) {
      absentThere.push(column)
      continue
    }
    columns.push(column)
    const one = await widened(pipeline, column, candidate, from, to)
    if (one !== null) wider.push(one)
  }
  return { columns, missing: await additionsOf(pipeline, absentThere, to), wider, notes }
}

/** Whether the target has the column by now, whoever has added it. */
export async function isThere({ load: { target } }: Pipeline, { target: column }: FollowedColumn): Promise<boolean> {
  return target.database.withConnection(async (connection, adapter) => {
    const live = await connection.describe(target.definition.table)
    const alike = (name: string) => (adapter.alter.ignoresCase ? name.toLowerCase() : name)
    const found = live?.columns.find(({ name }) => alike(name) === alike(column.column))
    return found !== undefined && adapter.alter.isType(wantedColumn(column.column, column, adapter), found.type)
  })
}

function sideOf({ database, definition }: Pipeline['extract']['source'] | Pipeline['load']['target']): Promise<Side> {
  return database.withConnection(async (connection, adapter) => ({
    where: `${definition.database}.${definition.table}`,
    adapter,
    live: await connection.describe(definition.table),
  }))
}

/** Gives the columns their names in the target; says of those that can have none. */
function named(
  pipeline: Pipeline,
  unknown: readonly LiveColumn[],
  { where, adapter, live }: Side,
): { readonly candidates: readonly Candidate[]; readonly notes: string[] } {
  const own = pipeline.load.target.definition.columnNames
  const habit = habitOf(own)
  const alike = (name: string) => (adapter.alter.ignoresCase ? name.toLowerCase() : name)
  const taken = new Map(own.map((name) => [alike(name), `the field of the model that writes ${name}`]))
  const candidates: Candidate[] = []
  const notes: string[] = []
  const from = `${pipeline.extract.source.definition.database}.${pipeline.extract.source.definition.table}`
  for (const column of unknown) {
    const spelt = live?.columns.some(({ name }) => name === column.name) ? column.name : inHabit(column.name, habit)
    const found = live?.columns.find(({ name }) => alike(name) === alike(spelt))
    const target = found?.name ?? spelt
    const refuse = (why: string) =>
      notes.push(
        `the column ${column.name} of ${from} ${LEFT} into ${where}, since ${why}: add a field for it to both models, under another name (npx dray schema pull ${from} shows the line of the source's), or leave it out (columns: { follow: true, except: ['${column.name}'] })`,
      )
    const other = taken.get(alike(target))
    const fault = nameFault(target, adapter)
    if (other !== undefined) refuse(`its name there, ${target}, belongs to ${other}`)
    else if (fault !== null) refuse(fault)
    else if (found?.isComputed) refuse(`the database computes ${target} itself`)
    else if (found?.isNumbered) refuse(`the database numbers its rows by ${target}`)
    else if (found !== undefined && live?.primaryKey.includes(target)) refuse(`${target} is of its primary key`)
    else {
      taken.set(alike(target), `the column ${column.name}`)
      candidates.push({ live: column, target, found })
    }
  }
  return { candidates, notes }
}

function nameFault(name: string, adapter: Adapter): string | null {
  if (/^dray\$/i.test(name)) return `its name there, ${name}, is called as Dray calls its own`
  try {
    adapter.quote(name)
    return null
  } catch (error) {
    return (error as Error).message.replace(/, so nothing was done;.*$/s, '')
  }
}

/** Names of properties that neither model has, nor a record of them. */
function propertiesFor({ extract, load }: Pipeline, candidates: readonly Candidate[]): string[] {
  const members: readonly object[] = [extract.source.prototype, load.target.prototype]
  const given = new Set<string>()
  const isTaken = (name: string) => name === 'then' || given.has(name) || members.some((one) => name in one)
  return candidates.map(({ live }) => {
    const name = camelCase(live.name)
    let free = name
    for (let count = 2; isTaken(free); count++) free = `${name}${count}`
    given.add(free)
    return free
  })
}

/** The types of a column in both models; null where the target has another one. */
async function pairOf(pipeline: Pipeline, { live, found }: Candidate, from: Side, to: Side): Promise<HeldTypes | null> {
  const candidates = candidatesOf(live, undefined, from.adapter.schema.liveTypes)
  if (found !== undefined) {
    for (const type of candidates.types) {
      const pair = held(type, found, to.adapter)
      if (pair !== null) return pair
    }
    if (!candidates.isMeasured) return null
  }
  const type = await measured(pipeline, live, candidates)
  if (found !== undefined) return held(type, found, to.adapter) ?? asDecimal(found, to.adapter)
  return { source: type, target: holdable(type, to.adapter) }
}

/** What the values of now fit into; where the type says it, no value is read. */
function measured({ extract }: Pipeline, live: LiveColumn, candidates: Candidates): Promise<FieldType> {
  const { database, definition } = extract.source
  return database.withConnection(async (connection: Connection, adapter) => {
    const [type] = await fittingTypes(connection, adapter, definition.table, [live], [candidates])
    return type ?? typeOf('text')
  })
}

/** What widens a column that the target has; null where it has room for what the source has. */
async function widened(
  { load }: Pipeline,
  column: FollowedColumn,
  { live, found }: Candidate,
  from: Side,
  to: Side,
): Promise<WiderColumn | null> {
  const { kind } = column.source
  const sides = [
    { types: from.adapter.schema.liveTypes, column: live },
    { types: to.adapter.schema.liveTypes, column: found as LiveColumn },
  ] as const
  if (to.adapter.schema.liveTypes === null || !isWider(kind, ...sides)) return null
  const { column: name } = column.target
  const { column: _, ...source } = column.source
  const target = holdable(source, to.adapter)
  const wanted = wantedColumn(name, target, to.adapter)
  const alteration = await wideningOf(load.target, wanted, found as LiveColumn)
  return alteration === null ? null : { column, wide: { ...column, target: { ...target, column: name } }, alteration }
}

/** A decimal that says no digits goes by those of the target. */
function asDecimal({ name, type, ...rest }: LiveColumn, { schema: { liveTypes } }: Adapter): HeldTypes | null {
  if (liveTypes === null) return { source: typeOf('text'), target: typeOf('text') }
  const [is] = candidatesOf({ name, type, ...rest }, undefined, liveTypes).types
  return is?.kind === 'decimal' ? { source: is, target: is } : null
}

function otherType({ extract, load }: Pipeline, { live, target, found }: Candidate, to: Side): string {
  const { database, table } = extract.source.definition
  return `the column ${live.name} of ${database}.${table} is ${live.type || 'without a type'}, and ${target} of ${to.where} is ${found?.type || 'without a type'}, ${OTHER_TYPE}: rename or drop that column of ${to.where}, or change it (add a field for it to both models, then npx dray schema plan ${load.target.definition.database}.${load.target.definition.table}), or leave it out (columns: { follow: true, except: ['${live.name}'] })`
}

async function additionsOf({ load }: Pipeline, columns: readonly FollowedColumn[], to: Side): Promise<MissingColumn[]> {
  if (columns.length === 0) return []
  if (to.live === null) {
    // The first run makes the table, and then adds the columns.
    const nothing = { locks: null, unfit: [], lost: null, refused: null, sql: [], mark: 'safe' } as const
    return columns.map((column) => {
      const what = `adds ${column.target.column} ${to.adapter.schema.columnType(column.target)}`
      return { column, alteration: { ...nothing, columns: [column.target.column], what } }
    })
  }
  const { database, definition } = load.target
  const alterations = await database.withConnection(async (connection, adapter) => {
    const ask = async (text: string, parameters: readonly string[] = []) =>
      (await connection.query(text, parameters)).rows
    const changes = columns.map(({ target }) => {
      return { kind: 'add', column: wantedColumn(target.column, target, adapter), nullable: true } as const
    })
    const made = await adapter.alter.alterationsOf(ask, definition.table, changes)
    const isDone = made.some(({ mark, refused }) => mark === 'safe' && refused === null)
    const faults = isDone ? await adapter.alter.roomFaults?.(ask, definition.table, changes) : undefined
    return made.map((one, place) => ({ ...one, refused: one.refused ?? faults?.[place] ?? null }))
  })
  return columns.map((column, place) => ({ column, alteration: alterations[place] as Alteration }))
}
