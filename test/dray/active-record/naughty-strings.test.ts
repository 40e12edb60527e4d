import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, text } from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import fc from 'fast-check'
import { mysqlUnavailable, othersSkipped, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'
import { sharedData, withoutSharedData } from '#test/shared-data.ts'

const SEED = Number(process.env.PROPERTY_SEED ?? 20240601)
const LEAST_CASES = 5_000

const NAUGHTY: readonly string[] = withoutSharedData
  ? ['']
  : JSON.parse(await readFile(sharedData('naughty-strings', 'blns.json'), 'utf8'))

const naughty = fc.constantFrom(...NAUGHTY)
const generated = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom(
    '\0',
    'a\0',
    '\ud83d',
    'x\udc00',
    '\\N',
    '\\.',
    '\\x41',
    "\\'; --",
    '\x1a',
    '? $1 :a @b',
    ' ',
    'a ',
    '\ufffd',
  ),
)
/** As it is, generated, or both in one. */
const anyText = fc.oneof(
  { weight: 3, arbitrary: naughty },
  { weight: 3, arbitrary: generated },
  { weight: 2, arbitrary: fc.tuple(naughty, generated).map((parts) => parts.join('')) },
)

/** Why an engine does not hold a text; null when it does. */
function unstorable(dialect: Dialect, value: string): string | null {
  if (!value.isWellFormed()) return 'half of a surrogate pair'
  return dialect === 'postgres' && value.includes('\0') ? 'NUL' : null
}

/** True for a name that an engine does not hold: the rest it must. */
function isNoColumn(dialect: Dialect, name: string): boolean {
  if (name === '' || name.includes('\0') || !name.isWellFormed()) return true
  if (dialect === 'postgres') return Buffer.byteLength(name) > 63
  return dialect === 'mysql' && (name.length > 64 || name.endsWith(' ') || [...name].length < name.length)
}

interface Service {
  readonly url: string
  close(): Promise<void>
}

let cases = 0

function naughtyStrings(dialect: Dialect, open: () => Promise<Service>, skip: string | false): void {
  describe(`naughty strings on ${dialect}`, { skip }, () => {
    const shop = database(`naughty-${dialect}`)
    class Note extends shop.table('note', { id: bigint().primaryKey(), body: text(), copy: text().nullable() }) {}
    let service: Service

    before(async () => {
      service = await open()
      process.env[urlVariable(shop.name)] = service.url
      await Note.createTable()
    })
    after(async () => {
      await shop.close()
      await service.close()
    })

    /** The bytes of each body, by the database itself. */
    async function storedBytes(): Promise<ReadonlyMap<string, string>> {
      const bytes = dialect === 'postgres' ? "encode(convert_to(body, 'UTF8'), 'hex')" : 'lower(hex(body))'
      const { rows } = await shop.query(`select id, ${bytes} from note`)
      return new Map(rows as [string, string][])
    }

    async function inBulk(values: readonly string[]): Promise<void> {
      await Note.deleteAll()
      const rows = values.map((body, index) => ({ id: BigInt(index), body, copy: body }))

      const result = await Note.upsertAll(rows, { by: 'id' })

      const storable = rows.filter(({ body }) => unstorable(dialect, body) === null)
      const rejected = rows.filter(({ body }) => unstorable(dialect, body) !== null).map(({ id }) => Number(id))
      assert.deepEqual(
        result.rejected.map(({ row }) => row),
        rejected,
      )
      assert.equal(result.inserted, storable.length)
      const stored = await storedBytes()
      for (const { id, body } of storable) assert.equal(stored.get(String(id)), Buffer.from(body).toString('hex'))
      const again = await Note.upsertAll(rows, { by: 'id' })
      assert.equal(again.unchanged, storable.length)
      await foundAgain(storable)
      cases += values.length
    }

    async function foundAgain(rows: readonly { readonly id: bigint; readonly body: string }[]): Promise<void> {
      const read = await Note.all().order('id').toArray()
      assert.deepEqual(
        read.map(({ id, body, copy }) => [id, body, copy]),
        rows.map(({ id, body }) => [id, body, body]),
      )
      const wanted = rows.filter((_, index) => index % 3 === 0).map(({ body }) => body)
      const found = new Set((await Note.where({ body: wanted }).toArray()).map(({ id }) => id))
      for (const { id, body } of rows) if (wanted.includes(body)) assert.ok(found.has(id), JSON.stringify(body))
      cases += wanted.length
    }

    async function oneByOne(values: readonly string[]): Promise<void> {
      await Note.deleteAll()
      await shop.transaction(async () => {
        for (const [index, body] of values.entries()) {
          const note = await Note.create({ id: BigInt(index), body })
          if (unstorable(dialect, body) !== null) {
            assert.equal(note.isNew, true)
            assert.equal(note.errors.isEmpty, false)
            continue
          }
          const found = await Note.find(BigInt(index))
          assert.equal(found.body, body)
          found.copy = body
          assert.equal(await found.save(), true)
          assert.ok(
            (await Note.where(['copy = ?', body])
              .where({ id: BigInt(index) })
              .count()) === 1,
          )
        }
      })
      const stored = await storedBytes()
      for (const [index, body] of values.entries()) {
        const bytes = unstorable(dialect, body) === null ? Buffer.from(body).toString('hex') : undefined
        assert.equal(stored.get(String(index)), bytes)
      }
      cases += values.length
    }

    test('survive upsertAll, and are found by their value', async () => {
      await fc.assert(fc.asyncProperty(fc.array(anyText, { minLength: 100, maxLength: 120 }), inBulk), {
        seed: SEED,
        numRuns: 8,
        examples: [[[...NAUGHTY]]],
      })
    })

    test('survive save, find and where', async () => {
      await fc.assert(fc.asyncProperty(fc.array(anyText, { minLength: 40, maxLength: 50 }), oneByOne), {
        seed: SEED + 1,
        numRuns: 4,
        examples: [[[...NAUGHTY]]],
      })
    })

    test('are columns, or are refused in plain words', async () => {
      const names = [...new Set([...NAUGHTY, ...fc.sample(anyText, { seed: SEED + 2, numRuns: 200 })])]
      const refused = names.filter((name) => isNoColumn(dialect, name))
      for (const name of refused) await assertRefused(shop, 'plain', { p0: text().column(name) })
      cases += refused.length

      const held = names.filter((name) => !isNoColumn(dialect, name))
      // Strangers side by side: names alike but for case or accents are one name to some engines.
      const groups = Array.from(
        { length: Math.ceil(held.length / 8) },
        (_, first, count = Math.ceil(held.length / 8)) => held.filter((_name, index) => index % count === first),
      )
      for (const [index, group] of groups.entries()) await asColumns(shop, `columns_${index}`, group)
      cases += held.length
    })

    test('are tables, or are refused in plain words', async () => {
      const tryAll = async () => {
        // A table is a file of MySQL's, which takes its time: the seed says which third of them is tried there.
        const tried = NAUGHTY.filter((_, index) => dialect !== 'mysql' || (index + SEED) % 3 === 0)
        for (const name of new Set(tried)) {
          const fields = { id: bigint().primaryKey(), body: text() }
          if (isNoColumn(dialect, name)) await assertRefused(shop, name, fields)
          else await asTable(shop, name)
          cases += 1
        }
      }
      // One transaction saves SQLite a write to the disk for each table; MySQL has none for tables.
      await (dialect === 'sqlite' ? shop.transaction(tryAll) : tryAll())
    })
  })
}

async function assertRefused(shop: Database, table: string, fields: Fields): Promise<void> {
  await assert.rejects(
    async () => shop.table(table, { ...fields, key: bigint().primaryKey() }).createTable(),
    (error: Error) =>
      ['Configuration', 'Terminal'].includes(error.name) &&
      error.message.length > 20 &&
      !error.message.includes('undefined'),
    JSON.stringify({ table, fields: Object.values(fields).map(({ settings }) => settings.column) }),
  )
}

/** Each name is a column whose value is the name; in smaller groups when the engine takes two of them for one. */
async function asColumns(shop: Database, table: string, names: readonly string[]): Promise<void> {
  const fields: Fields = Object.fromEntries(names.map((name, index) => [`p${index}`, text().column(name)]))
  const Model = shop.table(table, { ...fields, dray_key: bigint().primaryKey() })
  try {
    await Model.createTable()
  } catch (error) {
    if (names.length === 1) throw new Error(`no column ${JSON.stringify(names[0])}`, { cause: error })
    assert.match((error as Error).message, /duplicate|already exists|more than once/i)
    const middle = names.length >> 1
    await asColumns(shop, `${table}_a`, names.slice(0, middle))
    return asColumns(shop, `${table}_b`, names.slice(middle))
  }
  const values = Object.fromEntries(names.map((name, index) => [`p${index}`, name]))
  assert.deepEqual(await Model.checkSchema(), [])
  const saved = await new Model({ ...values, dray_key: 1n } as never).saveOrFail()
  const { inserted, rejected } = await Model.upsertAll([{ ...values, dray_key: 2n } as never], { by: 'dray_key' })

  assert.deepEqual({ inserted, rejected }, { inserted: 1, rejected: [] })
  const found = await Model.where(values).order('dray_key').toArray()
  assert.equal(found.length, 2, JSON.stringify(names))
  for (const record of [saved, ...found]) {
    const texts = record.toTexts()
    for (const name of names) assert.equal(texts[name], name)
  }
  const live = await shop.withConnection((connection) => connection.describe(table))
  assert.deepEqual(
    live?.columns.map(({ name }) => name),
    [...names, 'dray_key'],
  )
}

async function asTable(shop: Database, table: string): Promise<void> {
  const isQuoted = table.includes('.') || table.startsWith('"')
  const name = isQuoted ? `"${table.replaceAll('"', '""')}"` : table
  const Model = shop.table(name, { id: bigint().primaryKey(), body: text() })
  try {
    await Model.createTable()
    // A merge takes a dozen statements, and the tables are many.
    if (table.length % 4 === 0) await Model.upsertAll([{ id: 2n, body: table }], { by: 'id' })
    else await new Model({ id: 2n, body: table }).saveOrFail()

    assert.deepEqual(await Model.checkSchema(), [])
    assert.equal((await Model.find(2n)).body, table)
    await shop.query(`drop table ${(await shop.adapter()).quote(table)}`)
  } catch (error) {
    // MySQL's tables are files, in whose names a character can take five.
    if (/File name too long/.test(String(error)) && table.length > 50) return
    throw new Error(`the table ${JSON.stringify(table)}: ${error}`, { cause: error })
  }
}

naughtyStrings(
  'postgres',
  async () => {
    const server = await startPostgres()
    return { url: await server.createDatabase(), close: () => server.stop() }
  },
  othersSkipped ?? withoutSharedData,
)

naughtyStrings(
  'mysql',
  async () => {
    const server = await startMysqlServer()
    return { url: await server.createDatabase(), close: () => server.stop() }
  },
  mysqlUnavailable ?? withoutSharedData,
)

naughtyStrings(
  'sqlite',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dray-naughty-'))
    return { url: `sqlite:${join(folder, 'naughty.db')}`, close: () => rm(folder, { recursive: true }) }
  },
  othersSkipped ?? withoutSharedData,
)

test('enough cases were tried', { skip: othersSkipped ?? withoutSharedData }, (context) => {
  context.diagnostic(`${cases} cases with the seed ${SEED}`)

  assert.ok(cases >= LEAST_CASES, `${cases} cases`)
})
