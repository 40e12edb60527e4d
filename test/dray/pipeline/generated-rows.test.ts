import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bulkColumns, rowEncoder } from 'dray/internal/active-record/bulk.ts'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  binary,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  text,
  timestamp,
  uuid,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import { oneOf } from 'dray/internal/active-record/validations.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import type { Text } from 'dray/internal/block/block.ts'
import { decodeBlock, encodeLine } from 'dray/internal/block/copy-text.ts'
import { DataQualityError } from 'dray/internal/errors.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline, type RowContext } from 'dray/internal/pipeline/declare/pipeline.ts'
import { lineEncoder } from 'dray/internal/pipeline/rows/generated-rows.ts'
import { eachRow } from 'dray/internal/pipeline/rows/staged-rows.ts'
import { rowTransformer } from 'dray/internal/pipeline/rows/transform-rows.ts'
import fc from 'fast-check'

const bound = database('generated-rows')
const startedAt = timestampOf('2026-01-02 03:04:05')
const fields = {
  id: bigint().primaryKey(),
  count: integer().nullable(),
  title: text(),
  code: varchar(5).nullable().notBlank(),
  amount: decimal(6, 2),
  ratio: double().nullable(),
  isOpen: boolean(),
  day: date().nullable(),
  at: timestamp(),
  document: json().nullable(),
  number: uuid().nullable(),
  bytes: binary().nullable(),
}
class Source extends bound.source('source_rows', fields) {}
class Target extends bound.table('target_rows', {
  ...fields,
  title: text().rule(oneOf(['plain', 'tab\tbed', 'ä€😀'])),
  loadedAt: timestamp().touch(),
  revision: integer().lockVersion(),
  place: integer().generated(),
}) {}

type Attributes = Record<string, unknown>
type Transform = (row: Record<string, unknown>, context: RowContext) => unknown

function pipelineOf(transform: Transform, source: unknown = Source) {
  return pipeline('generated-rows', {
    extract: fullLoad(source as typeof Source),
    transform: transform as never,
    load: upsert(Target, { by: 'id' }),
  }) as never
}

/** What the models themselves make of a row. */
function byTheModels(row: readonly Text[], transform: Transform) {
  const encode = rowEncoder(Target.definition, startedAt)
  try {
    const record = Source.instantiate([...row]) as unknown as Attributes
    const encoded = encode(transform(record, null as never) as Attributes)
    if ('errors' in encoded) return { kind: 'quarantined', errors: encoded.errors }
    return { kind: 'loaded', texts: encoded.texts, findings: [] }
  } catch (error) {
    if (error instanceof DataQualityError) {
      const { field, code, message } = error
      return { kind: 'quarantined', errors: [{ field, code, message }] }
    }
    const { name, message } = error as Error
    const told = `the transform threw ${name}: ${message}`
    return { kind: 'quarantined', errors: [{ field: '', code: 'transform_failed', message: told }] }
  }
}

const oneText = (...texts: Text[]) => fc.constantFrom<Text>(...texts)
const rows = fc.tuple(
  oneText('1', '0', '-7', '007', '+3', '9223372036854775807', '18446744073709551615', 'one', null),
  oneText('5', '-2147483648', '1e3', null),
  oneText('plain', 'tab\tbed', 'ä€😀', 'other', '', null),
  oneText('abc', '😀😀😀😀😀', 'too long', ' ', null),
  oneText('10.00', '-0.5', '1234567', '0.001', '1e2', 'NaN', 'ten', null),
  oneText('1.5', '-0', 'Infinity', 'NaN', '1e400', 'x', null),
  oneText('t', 'false', '1', '\\x00', 'maybe', null),
  oneText('2024-02-29', '2023-02-29', 'infinity', '0044-03-15 BC', null),
  oneText('2024-01-01 00:00:00+00', '2024-01-01 02:00:00.120+02', '2024-01-01T00:00:00Z', '0000-00-00 00:00:00', null),
  oneText('{"a": 1}', '\\', null),
  oneText('6b3b1d54-5a47-4bd6-a3ea-7a3f6a1b2c3d', null),
  oneText('\\x00ff', '\\xzz', null),
)
const names = Object.keys(fields)
const others = fc.constantFrom<unknown>(undefined, null, 1n, 7, 'plain', '2024-01-01 00:00:00', true, {}, '\ud800')
/** What a transform does with some of the fields; the others are passed on. */
const changes = fc.dictionary(fc.constantFrom(...names, 'loadedAt', 'revision', 'unknown'), others, { maxKeys: 3 })

test('a row becomes what the models make of it, field by field, whatever the transform does', () => {
  fc.assert(
    fc.property(rows, changes, (row, changed) => {
      const transform: Transform = (record) => ({
        ...Object.fromEntries(names.map((name) => [name, record[name]])),
        ...changed,
      })

      const outcome = rowTransformer(pipelineOf(transform), startedAt)(row)

      assert.deepEqual(outcome, byTheModels(row, transform))
    }),
    { numRuns: 3000 },
  )
})

const good: Text[] = [
  '12',
  '5',
  'plain',
  'abc',
  '10.00',
  '1.5',
  't',
  '2024-02-29',
  '2024-01-01 00:00:00+00',
  null,
  null,
  null,
]
const transformed = (transform: Transform, source?: unknown, row = good) =>
  rowTransformer(pipelineOf(transform, source), startedAt)(row)
const passOn: Transform = (record) => Object.fromEntries(names.map((name) => [name, record[name]]))

test('a good row is written as it was read, but for the form of its values', () => {
  const expected = [
    ...good.slice(0, 6),
    '1',
    '2024-02-29',
    '2024-01-01 00:00:00',
    null,
    null,
    null,
    '2026-01-02 03:04:05',
  ]
  assert.deepEqual(transformed(passOn), { kind: 'loaded', texts: expected, findings: [] })
})

test('a record knows its texts, its class and its own fields while it is transformed', () => {
  const seen: unknown[] = []
  transformed((record) => {
    const made = (record as object).constructor
    seen.push((record as unknown as Source).textOf('at'), (record as unknown as Source).toTexts().id, made.name)
    const inherited: string[] = []
    for (const name in record) inherited.push(name)
    seen.push(record instanceof Source, Object.keys(record), inherited.filter((name) => name in fields).length)
    return null
  })

  assert.deepEqual(seen, ['2024-01-01 00:00:00+00', '12', 'Source', true, [], names.length])
})

test('accessors that a model has made its own are kept, and see those of the fields', () => {
  class Shouting extends Source {
    override get title() {
      return `${super.title}!` as never
    }
    get label() {
      return `${this.title} ${this.id}`
    }
  }
  const titles: unknown[] = []
  transformed((record) => {
    titles.push(record.title, record.label)
    return null
  }, Shouting)

  assert.deepEqual(titles, ['plain!', 'plain! 12'])
})

test('a field of a record that can be written is the value that it was given last', () => {
  class Written extends bound.table('written_rows', fields) {}
  const outcome = transformed((record) => {
    void record.id
    record.id = 99n
    record.title = 'tab\tbed'
    return passOn(record, null as never)
  }, Written)

  assert.deepEqual(outcome.kind === 'loaded' && outcome.texts.slice(0, 3), ['99', '5', 'tab\tbed'])
})

test('models that read their fields while they are made, or have a great many, are transformed as well', () => {
  class Early extends Source {
    readonly early: unknown
    constructor() {
      super()
      this.early = this.id
    }
  }
  const wide = Object.fromEntries(Array.from({ length: 150 }, (_, place) => [`c${place}`, integer()]))
  class Wide extends bound.source('wide_rows', { ...fields, ...wide }) {}
  const wideRow = [...good, ...Object.keys(wide).map(() => '1')]

  assert.equal(transformed(passOn, Early).kind, 'loaded')
  assert.deepEqual(transformed(passOn, Wide, wideRow), transformed(passOn))
})

test('a line is written as COPY text has it, and rows of a block are read as it has them', () => {
  const width = bulkColumns(Target.definition).length
  const line = lineEncoder(Target)
  const value = fc.option(
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\\N', '\t', 'a\\b', 'ä'.repeat(70_000))),
  )
  fc.assert(
    fc.property(fc.array(fc.array(value, { minLength: 1, maxLength: 4 }), { maxLength: 30 }), (given) => {
      const bytes = Buffer.from(given.map((row) => `${encodeLine(row)}\n`).join(''))
      const block = { bytes, rows: given.length }
      const read: Text[][] = []

      eachRow(block, (row) => read.push(row))

      assert.deepEqual(read, decodeBlock(block))
    }),
  )
  fc.assert(
    fc.property(value, (one) => {
      const texts: Text[] = bulkColumns(Target.definition).map(({ field: { settings } }) =>
        ['text', 'varchar', 'json', 'uuid', 'binary'].includes(settings.kind) ? one : '1',
      )
      assert.equal(texts.length, width)
      assert.equal(line(texts), encodeLine(texts))
    }),
  )
})
