import { type FieldType, typeOf, varcharOf } from '#dray/active-record/field-type.ts'
import { targetTypes } from '#dray/active-record/target-types.ts'
import type { Adapter, LiveColumn, LiveTable } from '#dray/database/adapter.ts'
import type { CopiedType } from '#dray/database/copied-types.ts'
import { asking } from '#dray/database/reading.ts'
import { TerminalError } from '#dray/errors.ts'
import { LEFT } from '#dray/messages/column-notes.ts'
import { tableOfStep, tableStep } from '#dray/messages/step-name.ts'
import type { Mask, Replica, TableOverride } from '#dray/pipeline/declare/replica.ts'
import { held, holdable, wantedColumn } from '#dray/pipeline/plan/held-types.ts'
import { columnsOf } from '#dray/pipeline/rows/replicated-checks.ts'
import type { MarkColumn, ReplicatedColumn, ReplicatedTable } from '#dray/pipeline/rows/replicated-table.ts'
import { chosenTables } from './chosen-tables.ts'
import { isAlike, propertyNames, targetNames } from './column-names.ts'
import { asItIs, copiedTypes, isCopied } from './copied-types.ts'
import { candidatesIn, keyOf, type ReadTable, readTable, typesHeldIn, typesOf } from './read-table.ts'
import { type TableCursor, tableCursor } from './table-cursor.ts'
import { targetOf } from './target-table.ts'

/** A table as a run is going to replicate it. */
export interface DescribedTable {
  readonly table: ReplicatedTable
  readonly read: ReadTable
  /** Null where the target does not have it yet. */
  readonly live: LiveTable | null
  /** The source's own types that its copy may have, by the column. */
  readonly copied: ReadonlyMap<string, CopiedType>
  /** Columns that a target which is there has not yet. */
  readonly missing: readonly MissingColumn[]
  /** Sentences for a person. */
  readonly notes: readonly string[]
}

export interface MissingColumn {
  /** In the source. */
  readonly source: string
  readonly target: FieldType & { readonly column: string }
}

const MARK = '_deleted_at'
const HASH_LENGTH = 64

/**
 * What a table of a replica is like now: its columns, types and key by the source's catalogue, its reading by the
 * declaration. Changes nothing. Throws `Terminal` where it cannot be replicated as it is.
 */
export async function describeTable(replica: Replica, step: string): Promise<DescribedTable> {
  const source = await sourceOf(replica, step)
  const read = await readTable(replica.from, source)
  if (read === null) throw await unreadable(replica, step, source)
  const override = replica.overrides.get(source) ?? {}
  const target = targetOf(replica, source, override)
  const { live, adapter } = await replica.into.withConnection(async (connection, adapter) => ({
    live: await connection.describe(target),
    adapter,
  }))
  return new Describer(replica, { step, source, target, override, read, live, adapter }).describe()
}

async function sourceOf(replica: Replica, step: string): Promise<string> {
  const said = tableOfStep(step)
  if (tableStep(replica.name, said) === step) return said
  const { tables } = await chosenTables(replica)
  const found = tables.find((one) => one.step === step)
  if (found !== undefined) return found.table
  throw gone(replica, step, said)
}

async function unreadable(replica: Replica, step: string, source: string): Promise<TerminalError> {
  const { tables } = await chosenTables(replica)
  if (!tables.some((one) => one.step === step)) return gone(replica, step, source)
  return new TerminalError(
    `${step}: ${replica.from.name}.${source} shows no column, so nothing was read: it has none, its user may see none of them, or it is a view over what is no more; leave it out (tables: '!${source}'), or mend it there`,
  )
}

function gone({ from, into }: Replica, step: string, source: string): TerminalError {
  return new TerminalError(
    `${step}: ${from.name} has no table ${source} any more, or its user may not see it, so nothing was read; what ${into.name} has of it stays as it is`,
  )
}

/** What a column of the source is, beside what the catalogue says of it. */
interface Pairing {
  readonly mask: Mask | null
  /** By its values; null where its type says what it is. */
  readonly measured: FieldType | null
  readonly copied: ReadonlyMap<string, CopiedType>
}

/** A column whose values that of the target does not hold. */
interface Misfit {
  readonly column: LiveColumn
  readonly there: LiveColumn
}

interface Subject {
  readonly step: string
  readonly source: string
  readonly target: string
  readonly override: TableOverride
  readonly read: ReadTable
  readonly live: LiveTable | null
  readonly adapter: Adapter
}

class Describer {
  readonly #replica: Replica
  readonly #subject: Subject
  readonly #notes: string[] = []
  readonly #missing: MissingColumn[] = []
  #copied: ReadonlyMap<string, CopiedType> = new Map()
  readonly #misfits: Misfit[] = []

  constructor(replica: Replica, subject: Subject) {
    this.#replica = replica
    this.#subject = subject
  }

  async describe(): Promise<DescribedTable> {
    const { source, target, override, read, live } = this.#subject
    const masks = masksOf(override)
    this.#refuseUnknown('except', override.except ?? [])
    this.#refuseUnknown('mask', [...masks.keys()])
    this.#refuseUnchecked(override)
    const key = this.#key(masks)
    const taken = read.live.columns.filter(({ name }) => !override.except?.includes(name))
    const fields = await this.#fields(taken, key, masks)
    const [misfit] = this.#misfits
    if (misfit !== undefined) throw await this.#otherType(misfit)
    const columns = fields.filter(({ mask }) => mask !== 'null')
    const cursor = await tableCursor(this.#replica, this.#subject, columns)
    const deletes = override.deletes ?? this.#replica.deletes
    const load = key.length > 0 ? 'upsert' : override.load === 'append' && cursor.name !== null ? 'append' : 'replace'
    const isRead = load === 'replace' ? { ...cursor, name: null, why: keyless(cursor) } : cursor
    const marksGone = deletes === 'soft' && load === 'upsert'
    if (override.load === 'append' && load !== 'append') throw this.#appendWithout(key, cursor)
    return {
      table: {
        source,
        target,
        columns,
        masked: fields
          .filter(({ mask, target: { column } }) => mask === 'null' && (live === null || hasColumn(live, column)))
          .map(({ name, target: type }) => ({ ...type, name })),
        key: key.map((column) => columns.find((one) => one.source.column === column)?.name as string),
        load,
        cursor: isRead.name,
        isXid: isRead.isXid,
        deletes: load === 'upsert' ? deletes : 'ignore',
        mark: marksGone ? markOf(fields) : null,
        why: isRead.why,
      },
      read,
      live,
      copied: this.#copied,
      missing: this.#missing,
      notes: this.#notes,
    }
  }

  get #where(): string {
    return `${this.#replica.from.name}.${this.#subject.source}`
  }

  #refuse(what: string): TerminalError {
    return new TerminalError(`${this.#subject.step}: ${what}`)
  }

  #refuseUnknown(option: string, names: readonly string[]): void {
    const { columns } = this.#subject.read.live
    const unknown = names.find((name) => !columns.some((column) => column.name === name))
    if (unknown === undefined) return
    throw this.#refuse(
      `overrides: { ${option} } names ${unknown}, and ${this.#where} has no such column, so nothing was read, since it could not do what is meant; it has ${columns.map(({ name }) => name).join(', ')}`,
    )
  }

  #refuseUnchecked({ checks = [], except = [] }: TableOverride): void {
    const named = columnsOf(checks)
    this.#refuseUnknown('checks', named)
    const left = named.find((column) => except.includes(column))
    if (left === undefined) return
    throw this.#refuse(
      `a check names ${left} of ${this.#where}, which is not taken over (except), so it could not be asked and nothing was read; leave one of the two out`,
    )
  }

  #key(masks: ReadonlyMap<string, Mask>): readonly string[] {
    const { override, read } = this.#subject
    const asked = override.key === undefined ? null : [override.key].flat()
    if (asked !== null) this.#refuseUnknown('key', asked)
    const key = asked ?? keyOf(read.live, read.details)
    const hidden = key.find((name) => masks.has(name) || override.except?.includes(name))
    if (hidden === undefined) return key
    throw this.#refuse(
      `${hidden} is of the key of ${this.#where}, which says which row is which, so it can be neither masked nor left out; name another key (overrides: { key }), or leave the table out`,
    )
  }

  /** Columns that the target has not yet are left to what adds them, unless it is to be made. */
  async #fields(
    columns: readonly LiveColumn[],
    key: readonly string[],
    masks: ReadonlyMap<string, Mask>,
  ): Promise<ReplicatedColumn[]> {
    const { read, live, adapter, source } = this.#subject
    const names = targetNames(
      columns.map(({ name }) => name),
      adapter,
    )
    const properties = propertyNames(columns.map(({ name }) => name))
    this.#sayRenamed(columns, names)
    const found = names.map((name) => live?.columns.find((one) => isAlike(one.name, name, adapter)))
    // Where the target's columns hold anything as well, only the values tell what they are; and there a column that
    // is NOT NULL stays so for good.
    const isSaid = adapter.schema.liveTypes !== null
    const open = columns.filter((_, place) => found[place] === undefined || !isSaid)
    const measured = await typesOf(this.#replica.from, source, read, open)
    const types = columns.map((column) => measured[open.indexOf(column)] ?? typeOf('text'))
    const copied = await copiedTypes(this.#replica, {
      ...this.#subject,
      key,
      columns: columns.map((column, place) => ({ ...column, kind: (types[place] as FieldType).kind })),
    })
    this.#copied = copied.types
    const made = targetTypes(
      columns.map(({ name }, place) => {
        const [type, own] = [types[place] as FieldType, copied.types.get(name)]
        return { type: own === undefined ? type : { ...type, native: own.made }, isKey: key.includes(name) }
      }),
      adapter,
      copied.collation,
    )
    return columns.flatMap((column, place): ReplicatedColumn[] => {
      const mask = masks.get(column.name) ?? null
      const there = found[place]
      const name = properties[place] as string
      const target = there?.name ?? (names[place] as string)
      if (there === undefined && live !== null && mask === null && !key.includes(column.name)) {
        this.#leave(column.name, { ...(made[place] as FieldType), column: target })
        return []
      }
      const pair =
        mask === 'hash'
          ? this.#hashed(column)
          : there === undefined
            ? null
            : this.#pair(column, there, {
                mask,
                measured: isSaid ? null : (types[place] ?? null),
                copied: copied.types,
              })
      // SQLite would number a row that has NULL in a primary key.
      const isOfKey = key.includes(column.name) || (live?.primaryKey.includes(target) ?? false)
      return [
        {
          name,
          source: { ...(pair?.source ?? (types[place] as FieldType)), column: column.name },
          target: { ...(pair?.target ?? (made[place] as FieldType)), column: target },
          isNullable: !isOfKey && (column.nullable || mask !== null || !isSaid),
          mask,
        },
      ]
    })
  }

  #leave(source: string, target: MissingColumn['target']): void {
    if (this.#replica.follows) {
      this.#missing.push({ source, target })
      return
    }
    const { into } = this.#replica
    this.#notes.push(
      `the column ${source} of ${this.#where} ${LEFT} into ${into.name}.${this.#subject.target}, since the replica says columns: 'fixed'; say 'follow', or leave it out (overrides: { '${this.#subject.source}': { except: ['${source}'] } })`,
    )
  }

  #hashed(column: LiveColumn): { readonly source: FieldType; readonly target: FieldType } {
    const [type] = candidatesIn(this.#subject.read, column).types
    if (type?.kind !== 'binary') return { source: typeOf('text'), target: varcharOf(HASH_LENGTH) }
    throw this.#refuse(`${column.name} of ${this.#where} holds bytes, which are not hashed; mask it as NULL`)
  }

  /** How a column that is there takes the source's values. */
  #pair(column: LiveColumn, there: LiveColumn, { mask, measured, copied }: Pairing) {
    const { read, adapter } = this.#subject
    if (mask === 'null') return { source: typeOf('text'), target: typeOf('text') }
    const types = [...(measured === null ? [] : [measured]), ...typesHeldIn(read, column)]
    if (isCopied(copied.get(column.name), there, adapter)) return asItIs(types, there)
    for (const type of types) {
      const pair = held(type, there, adapter)
      if (pair !== null) return pair
    }
    this.#misfits.push({ column, there })
    return null
  }

  /** A type that changes may cut values, so a person decides. */
  async #otherType({ column, there }: Misfit): Promise<TerminalError> {
    const { read, adapter, target, source } = this.#subject
    const { into } = this.#replica
    const [type = typeOf('text')] = candidatesIn(read, column).types
    const change = {
      kind: 'change',
      column: { ...wantedColumn(there.name, holdable(type, adapter), adapter), nullable: there.nullable },
      liveType: there.type,
      type: true,
      nullable: false,
      startsAtZero: false,
      isGenerated: false,
    } as const
    const found = await into.withConnection((connection) =>
      adapter.alter.alterationsOf(asking(connection), target, [change]),
    )
    const statements = found.filter(({ refused }) => refused === null).flatMap(({ sql }) => sql)
    const changed = statements.length === 0 ? 'change that column' : `\`${statements.join('; ')}\``
    return this.#refuse(
      `the column ${column.name} of ${this.#where} is ${column.type || 'without a type'}, and ${there.name} of ${into.name}.${target} is ${there.type || 'without a type'}, which does not hold its values, so nothing was read and last_run stays where it is. Run ${changed} on ${into.name} (it may write the whole table anew) and run again, or leave the column out (overrides: { '${source}': { except: ['${column.name}'] } })`,
    )
  }

  #sayRenamed(columns: readonly LiveColumn[], names: readonly string[]): void {
    const renamed = columns.flatMap(({ name }, place) =>
      name === names[place] ? [] : [`${name} (as ${names[place]})`],
    )
    if (renamed.length > 0) {
      this.#notes.push(`${this.#replica.into.name} cannot have columns of the names of ${renamed.join(', ')}`)
    }
  }

  #appendWithout(key: readonly string[], cursor: TableCursor): TerminalError {
    if (key.length > 0) return this.#refuse(`overrides: { load: 'append' } is for tables without a key; leave it out`)
    return this.#refuse(`overrides: { load: 'append' } needs a cursor, and there is none: ${cursor.why}`)
  }
}

function hasColumn({ columns }: LiveTable, name: string): boolean {
  return columns.some((column) => column.name === name)
}

function masksOf({ mask = [] }: TableOverride): ReadonlyMap<string, Mask> {
  const isList = (given: typeof mask): given is readonly string[] => Array.isArray(given)
  return new Map(isList(mask) ? mask.map((name) => [name, 'null'] as const) : Object.entries(mask))
}

function keyless({ name, why }: TableCursor): string {
  const all = 'without a key rows cannot be told apart, so each run replaces all of them'
  return name === null ? all : `${all} (${why} could be appended: overrides: { load: 'append' })`
}

function markOf(fields: readonly ReplicatedColumn[]): MarkColumn {
  const columns = new Set(fields.map(({ target }) => target.column.toLowerCase()))
  const names = new Set(fields.map(({ name }) => name))
  let column = MARK
  for (let count = 2; columns.has(column); count++) column = `${MARK}_${count}`
  let name = 'markedDeletedAt'
  while (names.has(name)) name = `${name}2`
  return { name, column }
}
