import { createHmac } from 'node:crypto'
import { type FieldType, fieldOf } from '#dray/active-record/field-type.ts'
import type { Fields } from '#dray/active-record/fields.ts'
import { defineModel } from '#dray/active-record/model.ts'
import { tableStep } from '#dray/messages/step-name.ts'
import type { AnySource, AnyTarget } from '#dray/pipeline/declare/any-model.ts'
import { copyFields } from '#dray/pipeline/declare/copy-fields.ts'
import type { DeletesOption } from '#dray/pipeline/declare/deletes-option.ts'
import { changedSince, type Extraction, fullLoad } from '#dray/pipeline/declare/extraction.ts'
import { append, type Loading, replace, upsert } from '#dray/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Mask, Replica, ReplicaDeletes } from '#dray/pipeline/declare/replica.ts'
import type { FollowedColumn } from './followed-columns.ts'
import { checksOf } from './replicated-checks.ts'

/** A column, with its property in both models. */
export interface ReplicatedColumn extends FollowedColumn {
  readonly isNullable: boolean
  readonly mask: Mask | null
}

/** The time at which a row's source row was found to be gone. */
export interface MarkColumn {
  readonly name: string
  readonly column: string
}

/** What a run knows of a table of a replica, as its plan stages it: all that its pipeline is made of. */
export interface ReplicatedTable {
  /** The names of both tables. */
  readonly source: string
  readonly target: string
  readonly columns: readonly ReplicatedColumn[]
  /** Columns of the target alone, of which NULL is loaded. */
  readonly masked: readonly (FieldType & MarkColumn)[]
  /** Properties: in the order of the key; none where rows cannot be told apart. */
  readonly key: readonly string[]
  readonly load: 'upsert' | 'replace' | 'append'
  /** The property that says which rows have changed; null where all rows are read. */
  readonly cursor: string | null
  readonly isXid: boolean
  readonly deletes: ReplicaDeletes
  readonly mark: MarkColumn | null
  /** Why it is read as it is, for a person. */
  readonly why: string
}

const made = new WeakMap<Replica, Map<string, Pipeline>>()

/** The pipeline of a table; made once a process, since a model's code is generated for its class. */
export function tablePipeline(replica: Replica, table: ReplicatedTable): Pipeline {
  const key = JSON.stringify(table)
  const known = made.get(replica) ?? new Map<string, Pipeline>()
  made.set(replica, known)
  const pipelineOfTable = known.get(key) ?? defined(replica, table)
  known.set(key, pipelineOfTable)
  return pipelineOfTable
}

function defined(replica: Replica, table: ReplicatedTable): Pipeline {
  const name = tableStep(replica.name, table.source)
  const source = sourceModel(replica, table)
  const target = targetModel(replica, table)
  const override = replica.overrides.get(table.source) ?? {}
  return {
    ...pipeline<AnySource, AnyTarget>(name, {
      extract: extraction(source, table, override),
      transform: taking(source, table, replica) as never,
      load: loading(target, table, override.most),
      ...deletesOf(table, override.most),
      quarantine: replica.quarantine,
      limits: replica.limits,
      checks: checksOf(replica, table) as never,
      ...(replica.owner === null ? {} : { owner: replica.owner }),
      concurrency: replica.concurrency,
    }),
    ...alone(name, target),
  }
}

/** No other pipeline writes the copy of a table, whatever it does to its rows. */
function alone(name: string, { definition: { database, table } }: AnyTarget): Pick<Pipeline, 'written'> {
  return { written: { database, table, alone: `keeps the copy of a table there (${name})`, where: null } }
}

function sourceModel({ from }: Replica, { source, columns, key }: ReplicatedTable): AnySource {
  return defineModel(from, { table: source, readOnly: true }, fieldsOf(columns, key, 'source')) as unknown as AnySource
}

function targetModel({ into }: Replica, { target, columns, key, mark, masked }: ReplicatedTable): AnyTarget {
  const others: Fields = Object.fromEntries([
    ...masked.map((one) => [one.name, fieldOf(one).nullable().column(one.column)]),
    ...(mark === null ? [] : [[mark.name, fieldOf(TIMESTAMP).nullable().column(mark.column)]]),
  ])
  const fields = { ...fieldsOf(columns, key, 'target'), ...others }
  return defineModel(into, { table: target, readOnly: false }, fields) as unknown as AnyTarget
}

export const TIMESTAMP: FieldType = { kind: 'timestamp', length: null, precision: null, scale: null }

/** The fields of the key first, in its order, by which rows are read. */
function fieldsOf(columns: readonly ReplicatedColumn[], key: readonly string[], side: 'source' | 'target'): Fields {
  const ofKey = key.flatMap((name) => columns.find((column) => column.name === name) ?? [])
  const others = columns.filter(({ name }) => !key.includes(name))
  return Object.fromEntries(
    [...ofKey, ...others].map((column) => {
      const field = fieldOf(column[side]).column(column[side].column)
      if (key.includes(column.name)) return [column.name, field.primaryKey()]
      return [column.name, column.isNullable ? field.nullable() : field]
    }),
  )
}

type Override = NonNullable<ReturnType<Replica['overrides']['get']>>

function extraction(source: AnySource, table: ReplicatedTable, override: Override): Extraction {
  const { partitionRows } = override
  const pages = partitionRows === undefined ? {} : { partitionRows }
  if (table.cursor === null) return fullLoad(source, pages)
  const { zone, lag, nulls } = override
  return changedSince(source, {
    cursor: (table.isXid ? { xid: table.cursor } : table.cursor) as never,
    ...pages,
    ...(zone === undefined ? {} : { zone }),
    ...(lag === undefined ? {} : { lag }),
    ...(nulls === undefined ? {} : { nulls }),
  })
}

function loading(target: AnyTarget, { load, key }: ReplicatedTable, most: number | undefined): Loading {
  if (load === 'append') return append(target)
  if (load === 'upsert') return upsert(target, { by: key as never })
  return replace(target, { allowEmpty: true, ...(most === undefined ? {} : { most }) })
}

function deletesOf({ load, deletes, mark }: ReplicatedTable, most: number | undefined): { deletes?: DeletesOption } {
  if (load !== 'upsert' || deletes === 'ignore') return {}
  const guard = most === undefined ? {} : { most }
  return { deletes: mark === null ? { hard: true, ...guard } : { soft: mark.name as never, ...guard } }
}

/** Bytes pass where nothing is masked by a hash. */
function taking(source: AnySource, { columns }: ReplicatedTable, { maskKey }: Replica) {
  const hashed = columns.filter(({ mask }) => mask === 'hash')
  if (hashed.length === 0)
    return copyFields(source, Object.fromEntries(columns.map(({ name }) => [name, name])) as never)
  const key = keptKey(maskKey)
  const names = columns.map(({ name }) => name)
  const isHashed = new Set(hashed.map(({ name }) => name))
  return (row: Readonly<Record<string, unknown>>) => {
    const text = key()
    return Object.fromEntries(
      names.map((name) => [name, isHashed.has(name) ? hash(row[name] as string | null, text) : row[name]]),
    )
  }
}

function hash(value: string | null, key: string): string | null {
  return value === null ? null : createHmac('sha256', key).update(value).digest('hex')
}

function keptKey(maskKey: (() => string) | null): () => string {
  let key: string | undefined
  return () => {
    key ??= maskKey?.() ?? ''
    if (key === '') throw new Error('the key of masks is empty')
    return key
  }
}
