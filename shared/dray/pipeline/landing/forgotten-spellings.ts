import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Dialect, LiveColumn } from '#dray/database/adapter.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { mayBeRespelled } from '#dray/pipeline/rows/taken-over-key.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'

/** Types of PostgreSQL and MySQL of which a unique column has each value in one spelling. */
const SPELLED_ALIKE =
  /^(small|big|tiny|medium)?(int|integer)|^(numeric|decimal|real|double|float|bool|date|time|uuid|bytea|binary|varbinary|bit|year)/i
/** Types that keep a text as it is given. */
const KEEPING = /^(character varying|varchar|citext|(tiny|medium|long)?text)/i
const PADDED = /^(character|char|bpchar)(\(|$)/i
/** SQLite's affinities of text and of none: https://sqlite.org/datatype3.html#determination_of_column_affinity */
const KEEPING_IN_SQLITE = /char|clob|text|blob|^$/i
const WHOLE_IN_SQLITE = /int/i
const WHOLE_NUMBERS: ReadonlySet<FieldKind> = new Set(['bigint', 'integer', 'boolean'])

interface LiveKeyColumn {
  readonly dialect: Dialect
  readonly kind: FieldKind
  readonly type: string
}

function isSpelledAlike({ dialect, kind, type }: LiveKeyColumn): boolean {
  return dialect === 'sqlite' ? WHOLE_IN_SQLITE.test(type) && WHOLE_NUMBERS.has(kind) : SPELLED_ALIKE.test(type)
}

function keepsSpelling({ dialect, type }: LiveKeyColumn): boolean {
  return dialect === 'sqlite' ? KEEPING_IN_SQLITE.test(type) : KEEPING.test(type)
}

/**
 * Whether several texts that the source has for a key are one value in the target, which does not keep how it was
 * written: UUIDs, decimals and padded texts that the source has as text.
 */
export async function forgetsSpellings(pipeline: Pipeline, schema: PlannedSchema | undefined): Promise<boolean> {
  const { extract, load } = pipeline
  if (load.kind !== 'upsert' && load.kind !== 'history') return false
  const own = extract.source.definition.primaryKey
  const by = columnsOf(load.target.definition, load.by)
  if (own.length !== by.length || schema === undefined || !mayBeRespelled(pipeline)) return false
  const source = (await extract.source.database.adapter()).dialect
  const target = (await load.target.database.adapter()).dialect
  return by.some((column, place) => {
    const read = liveColumn(source, own[place] as ColumnDefinition, schema.source)
    const written = liveColumn(target, column, schema.target)
    const arePadded = [read, written].every(({ dialect, type }) => dialect !== 'sqlite' && PADDED.test(type))
    return !isSpelledAlike(read) && !keepsSpelling(written) && !arePadded
  })
}

function liveColumn(dialect: Dialect, { column, field }: ColumnDefinition, live: readonly LiveColumn[]): LiveKeyColumn {
  return { dialect, kind: field.settings.kind, type: live.find(({ name }) => name === column)?.type ?? '' }
}
