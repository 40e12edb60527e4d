import {
  bigint,
  binary,
  boolean,
  date,
  decimal,
  integer,
  json,
  text,
  timestamp,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import type { RenameQuestion } from 'dray/internal/active-record/schema-plan.ts'
import { dateOf, decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import type { Mark } from 'dray/internal/database/alterations.ts'

/** A model that has changed since its table was made, and what the statements that follow are marked as. */
export interface Drift {
  /** Null where the table was never made. */
  readonly before: Fields | null
  readonly after: Fields
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly renames?: readonly RenameQuestion[]
  readonly marks: Readonly<Record<Dialect, readonly Mark[]>>
}

const id = bigint().primaryKey()
const all = (...marks: Mark[]) => ({ postgres: marks, mysql: marks, sqlite: marks })
const each = (postgres: Mark[], mysql: Mark[], sqlite: Mark[]) => ({ postgres, mysql, sqlite })
const rowsOf = (name: string, ...values: unknown[]) =>
  values.map((value, at) => ({ id: BigInt(at + 1), [name]: value }))
const texts = rowsOf('a', 'one', 'two')

export const drifts: Readonly<Record<string, Drift>> = {
  'a new table': { before: null, after: { id, a: text().nullable() }, rows: [], marks: all('safe') },
  'a column that is added': {
    before: { id, a: text() },
    after: { id, a: text(), b: varchar(20).nullable() },
    rows: texts,
    marks: all('safe'),
  },
  'a required column that is added to an empty table': {
    before: { id },
    after: { id, b: varchar(20) },
    rows: [],
    marks: all('safe'),
  },
  'a lock version that is added': {
    before: { id, a: text() },
    after: { id, a: text(), version: integer().lockVersion() },
    rows: texts,
    marks: all('safe'),
  },
  'a column that is dropped': {
    before: { id, a: text(), b: varchar(20).nullable() },
    after: { id, a: text() },
    rows: texts,
    marks: all('loses data'),
  },
  'a column that is renamed': {
    before: { id, a: text() },
    after: { id, b: text() },
    rows: texts,
    renames: [{ from: 'a', to: 'b' }],
    marks: all('safe'),
  },
  'a key that is renamed': {
    before: { id, a: text() },
    after: { number: bigint().primaryKey(), a: text() },
    rows: texts,
    renames: [{ from: 'id', to: 'number' }],
    marks: all('safe'),
  },
  'a text that is narrowed': {
    before: { id, a: varchar(200) },
    after: { id, a: varchar(20) },
    rows: texts,
    marks: each(['loses data'], ['loses data'], []),
  },
  'a text that is widened': {
    before: { id, a: varchar(20) },
    after: { id, a: varchar(40) },
    rows: texts,
    marks: each(['safe'], ['safe'], []),
  },
  'a text that is widened beyond 255 bytes': {
    before: { id, a: varchar(40).nullable() },
    after: { id, a: varchar(100).nullable() },
    rows: texts,
    marks: each(['safe'], ['rewrites'], []),
  },
  'a text that is widened to any length': {
    before: { id, a: varchar(20) },
    after: { id, a: text() },
    rows: texts,
    marks: each(['safe'], ['rewrites'], []),
  },
  'bytes that are widened': {
    before: { id, a: binary(16) },
    after: { id, a: binary(32) },
    rows: rowsOf('a', Buffer.from('one')),
    marks: each([], ['safe'], []),
  },
  'bytes that are narrowed': {
    before: { id, a: binary(32) },
    after: { id, a: binary(16) },
    rows: rowsOf('a', Buffer.from('one')),
    marks: each([], ['loses data'], []),
  },
  'an integer that is widened': {
    before: { id, a: integer() },
    after: { id, a: bigint() },
    rows: rowsOf('a', 1, 2147483647),
    marks: each(['rewrites'], ['rewrites'], []),
  },
  'an integer that is narrowed': {
    before: { id, a: bigint() },
    after: { id, a: integer() },
    rows: rowsOf('a', 1n, -2147483648n),
    marks: each(['loses data'], ['loses data'], []),
  },
  'a decimal of more digits': {
    before: { id, a: decimal(10, 2) },
    after: { id, a: decimal(18, 2) },
    rows: rowsOf('a', decimalOf('12345678.90')),
    marks: each(['safe'], ['rewrites'], []),
  },
  'a decimal of more digits behind the point': {
    before: { id, a: decimal(10, 2) },
    after: { id, a: decimal(18, 4) },
    rows: rowsOf('a', decimalOf('12345678.90')),
    marks: each(['rewrites'], ['rewrites'], []),
  },
  'a decimal of fewer digits': {
    before: { id, a: decimal(18, 4) },
    after: { id, a: decimal(10, 2) },
    rows: rowsOf('a', decimalOf('-12345678.9000')),
    marks: each(['loses data'], ['loses data'], []),
  },
  'a number that becomes a text': {
    before: { id, a: integer() },
    after: { id, a: text() },
    rows: rowsOf('a', 1, -2),
    marks: all('rewrites'),
  },
  'a text that becomes a number': {
    before: { id, a: text() },
    after: { id, a: integer() },
    rows: rowsOf('a', '1', '-2'),
    marks: all('loses data'),
  },
  'a text that becomes a decimal': {
    before: { id, a: varchar(20) },
    after: { id, a: decimal(10, 2) },
    rows: rowsOf('a', '1.50', '-2'),
    marks: each(['loses data'], ['loses data'], []),
  },
  'a day that becomes a moment': {
    before: { id, a: date() },
    after: { id, a: timestamp() },
    rows: rowsOf('a', dateOf('2024-02-29')),
    marks: each(['rewrites'], ['rewrites'], []),
  },
  'a moment that becomes a day': {
    before: { id, a: timestamp() },
    after: { id, a: date() },
    rows: rowsOf('a', timestampOf('2024-02-29 00:00:00')),
    marks: each(['loses data'], ['loses data'], []),
  },
  'a boolean that becomes a number': {
    before: { id, a: boolean() },
    after: { id, a: integer() },
    rows: rowsOf('a', true, false),
    marks: each(['rewrites'], ['rewrites'], []),
  },
  'a number that becomes a boolean': {
    before: { id, a: integer() },
    after: { id, a: boolean() },
    rows: rowsOf('a', 1, 0),
    marks: each(['loses data'], ['loses data'], []),
  },
  'a text that becomes a document': {
    before: { id, a: text() },
    after: { id, a: json() },
    rows: rowsOf('a', '{"n":1}', 'null'),
    marks: each(['loses data'], [], []),
  },
  'a key of one more column': {
    before: { id, a: varchar(20) },
    after: { id, a: varchar(20).primaryKey() },
    rows: texts,
    marks: all('rewrites'),
  },
  'a key of another column': {
    before: { id, a: varchar(20) },
    after: { a: varchar(20).primaryKey() },
    rows: texts,
    marks: all('rewrites', 'loses data'),
  },
  'a column that may not be NULL any more': {
    before: { id, a: text().nullable() },
    after: { id, a: text() },
    rows: texts,
    marks: all('rewrites'),
  },
  'a column that may be NULL now': {
    before: { id, a: text() },
    after: { id, a: text().nullable() },
    rows: texts,
    marks: each(['safe'], ['rewrites'], ['rewrites']),
  },
  'a default that is missing': {
    before: { id, version: integer() },
    after: { id, version: integer().lockVersion() },
    rows: rowsOf('version', 3),
    marks: each(['safe'], ['safe'], ['rewrites']),
  },
  'a key that the database is to number': {
    before: { id, a: text() },
    after: { id: id.generated(), a: text() },
    rows: texts,
    marks: each(['safe'], ['rewrites'], []),
  },
  'several at once': {
    before: { id, a: varchar(20), b: integer().nullable(), gone: text().nullable() },
    after: { id, a: varchar(30).nullable(), b: text().nullable(), extra: decimal(10, 2).nullable() },
    rows: [{ id: 1n, a: 'one', b: 7, gone: 'x' }],
    marks: each(
      ['safe', 'safe', 'safe', 'rewrites', 'loses data'],
      ['safe', 'rewrites', 'rewrites', 'loses data'],
      ['safe', 'rewrites', 'loses data'],
    ),
  },
}
