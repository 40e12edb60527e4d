import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
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
  note: text().defaulted(),
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
const changes = fc.dictionary(fc.constantFrom(...names, 'loadedAt', 'revision', 'place', 'note', 'unknown'), others, {
  maxKeys: 3,
})

test('a row becomes what the models make of it, field by field, whatever the transform does', () => {
  fc.assert(
    fc.property(rows, changes, (row, changed) => {
      const transform: Transform = (record) => ({
        ...Object.fromEntries(names.map((name) => [name, record[name]])),
        ...changed,
      })

      const outcome = rowTransformer(pipelineOf(transform), startedAt)(row)

      // What is of another type is said by its field, which the models do not.
      const plain = 'errors' in outcome && outcome.errors.some(({ code }) => code === 'transform_failed')
      const expected = byTheModels(row, transform)
      if (plain) assert.equal('errors' in expected && expected.errors[0]?.code, 'transform_failed')
      else assert.deepEqual(outcome, expected)
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

test('a value for a column that the load leaves to the database is not lost without a word', () => {
  for (const [given, method] of [
    [{ place: 7 }, 'generated()'],
    [{ note: 'own' }, 'defaulted()'],
  ] as const) {
    const outcome = transformed((record) => ({ ...(passOn(record, null as never) as Attributes), ...given }))

    assert.equal(outcome.kind, 'quarantined')
    const [error] = 'errors' in outcome ? outcome.errors : []
    assert.deepEqual([error?.field, error?.code], [Object.keys(given)[0], 'not_written'])
    assert.ok(error?.message.includes(`take ${method} off the field`))
  }
})

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

test('a record knows its texts and its class while it is transformed', () => {
  const seen: unknown[] = []
  transformed((record) => {
    const { constructor: made } = record as object
    seen.push((record as unknown as Source).textOf('at'), (record as unknown as Source).toTexts().id, made.name)
    seen.push(record instanceof Source)
    return null
  })

  assert.deepEqual(seen, ['2024-01-01 00:00:00+00', '12', 'Source', true])
})

/** The values of the good row, by field. */
const values = {
  id: 12n,
  count: 5,
  title: 'plain',
  code: 'abc',
  amount: '10.00',
  ratio: 1.5,
  isOpen: true,
  day: '2024-02-29',
  at: '2024-01-01 00:00:00',
  document: null,
  number: null,
  bytes: null,
}

/** What whoever looks at a row finds in it. */
function lookedAt(row: Record<string, unknown>): unknown {
  const { id, ...rest } = row
  const inherited: string[] = []
  for (const name in row) inherited.push(name)
  return {
    spread: { ...row },
    rest: { id, ...rest },
    assigned: Object.assign({}, row),
    entries: Object.fromEntries(Object.entries(row)),
    cloned: structuredClone(row),
    keys: Object.keys(row),
    forIn: inherited,
    has: 'title' in row && Object.hasOwn(row, 'title'),
    json: JSON.parse(JSON.stringify(row)),
    log: inspect(row),
  }
}

class OwnTitle extends Source {
  override get title() {
    return super.title
  }
}
const wideFields = Object.fromEntries(Array.from({ length: 300 }, (_, place) => [`c${place}`, integer()]))
class Wide extends bound.source('wide_rows', { ...fields, ...wideFields }) {}
const wideRow = [...good, ...Object.keys(wideFields).map(() => '1')]
const wideValues = Object.fromEntries(Object.keys(wideFields).map((name) => [name, 1]))

for (const [what, source, row, more] of [
  ['a row', Source, good, {}],
  ['a row of a table that can be written', class Written extends bound.table('written_rows', fields) {}, good, {}],
  ['a row whose model has made an accessor its own', OwnTitle, good, {}],
  ['a row of 312 columns', Wide, wideRow, wideValues],
] as const) {
  test(`${what} shows its fields to whoever looks, as any object does`, () => {
    const seen: unknown[] = []
    transformed(
      (record) => {
        seen.push(lookedAt(record))
        return null
      },
      source,
      row as Text[],
    )

    const expected = { ...values, ...more }
    const names = Object.keys(expected).toSorted()
    const found = seen[0] as Record<string, object>
    const { keys, forIn, log, has, json, ...copies } = found
    for (const [how, copy] of Object.entries(copies)) assert.deepEqual({ ...copy }, expected, how)
    assert.deepEqual(json, { ...expected, id: '12' })
    assert.deepEqual((keys as string[]).toSorted(), names)
    assert.deepEqual((forIn as string[]).filter((name) => name in expected).toSorted(), names)
    assert.equal(has, true)
    assert.match(String(log), /^\w+ \{.*id: 12n.*count: 5.*amount: '10\.00'/s)
  })
}

test('a row that is passed on whole has all of its columns', () => {
  const whole = transformed((record) => ({ ...record }))
  const rest = transformed(({ id, ...others }) => ({ ...others, id }))

  assert.deepEqual(whole, transformed(passOn))
  assert.deepEqual(rest, transformed(passOn))
})

test('a value that its field refuses fails the row where it is used, spread with the others as well', () => {
  const row = good.with(1, 'five')
  const used = transformed((record) => ({ ...record }), Source, row)
  const unused = transformed((record) => Object.assign({}, passOn(record, null as never), { count: null }), Source, row)
  const left: string[] = []
  const others = transformed(
    (record) => {
      left.push(...Object.keys(record))
      return { ...Object.fromEntries(names.filter((name) => name !== 'count').map((name) => [name, record[name]])) }
    },
    Source,
    row,
  )

  assert.equal(used.kind === 'quarantined' && used.errors[0]?.field, 'count')
  assert.equal(unused.kind, 'quarantined')
  assert.deepEqual([others.kind, left], ['loaded', names])
})

test('what a transform changes in a row leaves the next row and its texts alone', () => {
  const seen: unknown[] = []
  const transform: Transform = (record) => {
    seen.push(record.amount, (record as unknown as Source).textOf('amount'))
    record.amount = 'not a number'
    return { ...record }
  }
  const transformRow = rowTransformer(pipelineOf(transform), startedAt)
  const outcomes = [transformRow(good), transformRow(good)]

  assert.deepEqual(seen, ['10.00', '10.00', '10.00', '10.00'])
  assert.deepEqual(
    outcomes.map((outcome) => outcome.kind === 'quarantined' && outcome.errors[0]?.field),
    ['amount', 'amount'],
  )
})

test('reject and finding can be taken apart from what a transform is given', () => {
  const rejected = transformed((_, { reject }) => reject('title', 'odd'))
  const found = transformed((record, { finding }) => {
    finding('title', 'odd')
    return passOn(record, null as never)
  })

  assert.deepEqual(rejected, { kind: 'quarantined', errors: [{ field: 'title', code: 'odd', message: 'odd' }] })
  assert.deepEqual(found.kind === 'loaded' && found.findings, [{ field: 'title', code: 'odd', message: 'odd' }])
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
