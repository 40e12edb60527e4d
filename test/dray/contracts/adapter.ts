import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { CopyBlock, Text } from 'dray/internal/block/block.ts'
import { BlockEncoder, decodeBlock } from 'dray/internal/block/copy-text.ts'
import type { Adapter, Bound, Connection, MergeTarget } from 'dray/internal/database/adapter.ts'
import { RowTooLarge } from 'dray/internal/database/row-too-large.ts'

/** What a dialect calls things, and what it can and cannot do. */
export interface AdapterFixture {
  /** An adapter of an empty database of its own, with at least three connections. */
  open(): Promise<{ adapter: Adapter; close(): Promise<void> }>
  readonly types: {
    readonly bigint: string
    readonly integer: string
    readonly text: string
    /** Text of at most so many characters that can be a key, compared byte by byte. */
    varchar(length: number): string
    readonly binary: string
    /** Microseconds, without a zone. */
    readonly timestamp: string
  }
  /** Values that must come back as they went in, by column type; a pair says how the database writes the first. */
  readonly exact: Readonly<Record<string, readonly (string | readonly [given: string, read: string])[]>>
  /** True where CREATE TABLE would commit the open transaction: tables are made on a connection of their own. */
  readonly tablesCommit?: boolean
  /** The type of a required column that refuses numbers from 100 on. */
  readonly below100: string
  /** A SELECT of so many rows with one number each, from 1. */
  series(rows: number): string
  /** The type that each column of a query is described with, by its expression; `t` has the columns of `types`. */
  readonly queryTypes: Readonly<Record<string, string>>
  /** False where text may hold U+0000. */
  readonly refusesNul: boolean
  /** Where a failed statement spoils the transaction, so that COMMIT must throw. */
  readonly failureSpoilsTransaction: boolean
  /** Server databases: sessions, and statements that wait. */
  readonly server?: {
    /** A SELECT of the session's own number. */
    readonly session: string
    /** Ends a session and returns when it is gone. */
    kill(connection: Connection, session: string): Promise<void>
    /** A SELECT that takes so many seconds. */
    sleep(seconds: number): string
    /** A SELECT that has rows while the session runs a statement. */
    running(session: string): string
  }
  /** Whether `settledUntil` sees since when other transactions are open. */
  readonly seesOpenTransactions: boolean
}

type Rows = readonly (readonly Text[])[]

/** The blocks of rows, again and again. */
export function blocksOf(rows: Rows): () => CopyBlock[] {
  const encoder = new BlockEncoder()
  const blocks = rows.map((row) => encoder.push(row)).filter((block) => block !== null)
  const last = encoder.flush()
  if (last !== null) blocks.push(last)
  return () => blocks
}

const NAUGHTY = [
  '',
  ' ',
  'trailing spaces   ',
  '\t\n\r\\',
  '\b\f\v',
  '\\N',
  '\\.',
  'NULL',
  '\u2028\u2029',
  'e\u0301 é',
  '👩‍👩‍👧 𝒳',
  "'; DROP TABLE x; --",
  '$1 $$ ? :a @b',
  '__proto__',
]

/** What every adapter does, whatever the engine behind it. */
export function adapterContract(name: string, fixture: AdapterFixture): void {
  describe(`The ${name} adapter`, () => {
    let adapter: Adapter
    let close: () => Promise<void>
    let tables = 0
    const { types } = fixture

    before(async () => {
      const opened = await fixture.open()
      adapter = opened.adapter
      close = opened.close
    })
    after(async () => {
      await adapter.close()
      await close()
    })

    async function using<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
      const connection = await adapter.acquire()
      let broken = true
      try {
        const result = await work(connection)
        broken = false
        return result
      } finally {
        await adapter.release(connection, broken)
      }
    }

    async function inWrite<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
      return using(async (connection) => {
        await connection.begin('write')
        const result = await work(connection)
        await connection.commit()
        return result
      })
    }

    async function create(connection: Connection, columns: string): Promise<string> {
      tables += 1
      const table = `contract_${tables}`
      const sql = `CREATE TABLE ${adapter.quote(table)} (${columns})`
      await (fixture.tablesCommit ? using((other) => other.query(sql)) : connection.query(sql))
      return table
    }

    const insert = (connection: Connection, table: string, values: readonly Bound[]) =>
      connection.query(
        `INSERT INTO ${adapter.quote(table)} VALUES (${values.map((_, index) => adapter.placeholder(index + 1)).join(', ')})`,
        values,
      )

    const all = async (connection: Connection, table: string): Promise<Rows> =>
      (await connection.query(`SELECT * FROM ${adapter.quote(table)} ORDER BY 1`)).rows

    async function streamed(connection: Connection, sql: string, parameters: readonly Bound[] = []): Promise<Text[][]> {
      const rows: Text[][] = []
      for await (const page of connection.stream(sql, parameters)) rows.push(...page.map((row) => [...row]))
      return rows
    }

    async function copied(
      connection: Connection,
      sql: string,
      parameters: readonly Bound[] = [],
    ): Promise<CopyBlock[]> {
      const blocks: CopyBlock[] = []
      for await (const block of connection.copyOut(sql, parameters)) {
        blocks.push({ bytes: Buffer.from(block.bytes), rows: block.rows })
      }
      return blocks
    }

    const refused = async (work: Promise<unknown>, expected: { name: string; message?: RegExp }): Promise<Error> => {
      const error = await work.then(
        () => assert.fail(`expected ${expected.name}`),
        (reason: unknown) => adapter.translate(reason),
      )
      assert.equal(error.name, expected.name, error.message)
      if (expected.message !== undefined) assert.match(error.message, expected.message)
      return error
    }

    describe('values', () => {
      const cases: AdapterFixture['exact'] = {
        [types.bigint]: ['9223372036854775807', '-9223372036854775808', '0'],
        [types.text]: [...NAUGHTY, 'x'.repeat(1_000_000)],
        [types.timestamp]: ['2024-02-29 23:59:59.999999', '1969-12-31 00:00:00.000001'].map((text) => text),
        ...fixture.exact,
      }
      for (const [type, values] of Object.entries(cases)) {
        test(`${type} comes back exactly by query, stream and copy, and survives a merge`, async () => {
          const pairs = values.map((value) => (typeof value === 'string' ? ([value, value] as const) : value))
          await inWrite(async (connection) => {
            const columns = `id ${types.bigint} NOT NULL PRIMARY KEY, v ${type}`
            const source = await create(connection, columns)
            const target = await create(connection, columns)
            for (const [index, [given]] of pairs.entries()) await insert(connection, source, [String(index), given])
            await insert(connection, source, [String(pairs.length), null])
            const expected = [...pairs.map(([, read], index) => [String(index), read]), [String(pairs.length), null]]
            const sql = `SELECT id, v FROM ${adapter.quote(source)} ORDER BY id`

            const queried = (await connection.query(sql)).rows
            const inPages = await streamed(connection, sql)
            const blocks = await copied(connection, sql)
            const merged = await connection.merge({ table: target, columns: ['id', 'v'], key: ['id'] }, () => blocks)

            assert.deepEqual(queried, expected)
            assert.deepEqual(inPages, expected)
            assert.deepEqual(blocks.flatMap(decodeBlock), expected)
            assert.deepEqual(merged.rejected, [])
            assert.equal(merged.inserted, expected.length)
            assert.deepEqual(await all(connection, target), expected)
          })
        })
      }

      test('bytes come back as hexadecimal, and survive a merge', async () => {
        const bytes = Buffer.from([0, 1, 9, 10, 13, 39, 92, 127, 128, 195, 255])
        await inWrite(async (connection) => {
          const source = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, v ${types.binary}`)
          const target = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, v ${types.binary}`)
          await insert(connection, source, ['1', bytes])
          await insert(connection, source, ['2', new Uint8Array(0)])
          const sql = `SELECT id, v FROM ${adapter.quote(source)} ORDER BY id`

          const blocks = await copied(connection, sql)
          await connection.merge({ table: target, columns: ['id', 'v'], key: ['id'] }, () => blocks)

          const expected = [
            ['1', `\\x${bytes.toString('hex')}`],
            ['2', '\\x'],
          ]
          assert.deepEqual((await connection.query(sql)).rows, expected)
          assert.deepEqual(await streamed(connection, sql), expected)
          assert.deepEqual(blocks.flatMap(decodeBlock), expected)
          assert.deepEqual(await all(connection, target), expected)
        })
      })

      test('text that cannot be stored is refused, never changed', async () => {
        await using(async (connection) => {
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, v ${types.text}`)

          await refused(insert(connection, table, ['1', 'half \ud83d']), { name: 'DataQuality' })
          if (fixture.refusesNul) await refused(insert(connection, table, ['2', 'a\0b']), { name: 'DataQuality' })
          else await insert(connection, table, ['2', 'a\0b'])

          assert.deepEqual(await all(connection, table), fixture.refusesNul ? [] : [['2', 'a\0b']])
        })
      })

      test('columns of odd and of equal names keep their places', async () => {
        await inWrite(async (connection) => {
          const names = ['order', '__proto__', 'constructor', 'a"b', 'a`b', 'ä 1']
          const columns = names.map((column) => `${adapter.quote(column)} ${types.varchar(20)}`).join(', ')
          const table = await create(
            connection,
            `${adapter.quote('id')} ${types.bigint} NOT NULL PRIMARY KEY, ${columns}`,
          )
          const rows = [['1', ...names]]

          const merged = await connection.merge({ table, columns: ['id', ...names], key: ['id'] }, blocksOf(rows))

          const result = await connection.query(`SELECT * FROM ${adapter.quote(table)}`)
          assert.equal(merged.inserted, 1)
          assert.deepEqual(result.columns, ['id', ...names])
          assert.deepEqual(result.rows, rows)
          const twice = await connection.query(
            `SELECT id AS x, ${adapter.quote('order')} AS x FROM ${adapter.quote(table)}`,
          )
          assert.deepEqual([twice.columns, twice.rows], [['x', 'x'], [['1', 'order']]])
        })
      })

      test('bound values are bound in copies, too, whatever is in them', async () => {
        await using(async (connection) => {
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, v ${types.varchar(60)}`)
          for (const [index, value] of NAUGHTY.entries()) await insert(connection, table, [String(index), value])
          const sql = `SELECT id, v FROM ${adapter.quote(table)} WHERE v = ${adapter.placeholder(1)} AND '?$1' <> v -- ? $1 '
            AND id >= ${adapter.placeholder(2)} /* ' ? $1 */;`

          for (const [index, value] of NAUGHTY.entries()) {
            const rows = (await copied(connection, sql, [value, '0'])).flatMap(decodeBlock)

            assert.deepEqual(
              rows.filter((row) => row[1] === value),
              [[String(index), value]],
            )
          }
        })
      })
    })

    describe('reading', () => {
      test('copies cut many rows into blocks of whole rows with their number', async () => {
        await using(async (connection) => {
          const blocks = await copied(connection, fixture.series(200_000))

          assert.ok(blocks.length > 1)
          assert.ok(blocks.every(({ bytes }) => bytes.length <= 1024 * 1024))
          assert.ok(blocks.slice(0, -1).every(({ bytes }) => bytes.length >= 64 * 1024))
          assert.ok(blocks.every(({ bytes, rows }) => rows === decodeBlock({ bytes, rows }).length))
          assert.deepEqual(
            blocks.flatMap(decodeBlock).map(([number]) => Number(number)),
            Array.from({ length: 200_000 }, (_, index) => index + 1),
          )
        })
      })

      test('streams page by page', async () => {
        await using(async (connection) => {
          const sizes: number[] = []

          for await (const page of connection.stream(fixture.series(25), [], { pageRows: 10 })) sizes.push(page.length)

          assert.deepEqual(sizes, [10, 10, 5])
        })
      })

      test('an abandoned stream or copy frees the connection and leaves the transaction usable', async () => {
        await using(async (connection) => {
          await connection.begin('snapshot')
          for await (const page of connection.stream(fixture.series(100_000))) {
            assert.ok(page.length > 0)
            break
          }
          for await (const block of connection.copyOut(fixture.series(100_000))) {
            assert.ok(block.rows > 0)
            break
          }

          const rows = await streamed(connection, fixture.series(3))

          await connection.commit()
          assert.deepEqual(rows, [['1'], ['2'], ['3']])
        })
      })

      test('a snapshot does not see what is committed after it began', async () => {
        const table = await using((connection) => create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`))
        await using(async (reader) => {
          await reader.begin('snapshot')
          await using((writer) => insert(writer, table, ['1']))

          const seen = await all(reader, table)

          await reader.commit()
          assert.deepEqual(seen, [])
          assert.deepEqual(await all(reader, table), [['1']])
        })
      })

      test('a copy stops at a row that is larger than it may be, and the next one works', async () => {
        const table = await using(async (connection) => {
          const made = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, body ${types.text}`)
          await insert(connection, made, ['1', 'short'])
          await insert(connection, made, ['2', 'x'.repeat(3000)])
          await insert(connection, made, ['3', 'short'])
          return made
        })
        const copy = (mostBytes: number) =>
          using(async (connection) => {
            let rows = 0
            const sql = `SELECT * FROM ${adapter.quote(table)} ORDER BY id`
            for await (const block of connection.copyOut(sql, [], { mostBytes })) rows += block.rows
            return rows
          })

        await assert.rejects(copy(2000), RowTooLarge)

        assert.equal(await copy(8000), 3)
      })

      test('an abort stops a copy midway as Transient', async () => {
        const connection = await adapter.acquire()
        const controller = new AbortController()
        let blocks = 0

        const reading = (async () => {
          for await (const _ of connection.copyOut(fixture.series(200_000), [], { signal: controller.signal })) {
            blocks += 1
            controller.abort()
          }
        })()

        await refused(reading, { name: 'Transient' })
        assert.equal(blocks, 1)
        await adapter.release(connection, true)
        assert.deepEqual(await using((other) => streamed(other, fixture.series(1))), [['1']])
      })
    })

    describe('merging', () => {
      const columns = ['id', 'name', 'amount', 'seen']
      const definition = () =>
        `id ${types.bigint} NOT NULL PRIMARY KEY, name ${types.varchar(20)}, amount ${types.integer}, seen ${types.timestamp}`
      const at = (second: number) => `2024-01-01 00:00:${String(second).padStart(2, '0')}.123456`
      const target = (table: string, more: Partial<MergeTarget> = {}): MergeTarget => ({
        table,
        columns,
        key: ['id'],
        ...more,
      })

      test('counts inserted, updated, unchanged and duplicate rows; the last of a key wins', async () => {
        await inWrite(async (connection) => {
          const table = await create(connection, definition())
          await connection.merge(target(table), blocksOf([1, 2, 3].map((id) => [String(id), 'old', '1', at(1)])))

          const result = await connection.merge(
            target(table),
            blocksOf([
              ['4', 'first', '1', at(1)],
              ['1', 'old', '1', at(1)],
              ['2', 'new', null, at(1)],
              ['4', 'second', '2', at(1)],
              ['3', '', '1', at(1)],
              ['4', 'third', '3', at(1)],
            ]),
          )

          assert.deepEqual(result, { inserted: 1, updated: 2, unchanged: 1, duplicate: 2, rejected: [] })
          assert.deepEqual(await all(connection, table), [
            ['1', 'old', '1', at(1)],
            ['2', 'new', null, at(1)],
            ['3', '', '1', at(1)],
            ['4', 'third', '3', at(1)],
          ])
        })
      })

      test('sees the case, the trailing spaces and NULL against the empty text as changes', async () => {
        await inWrite(async (connection) => {
          const table = await create(connection, definition())
          const rows = [
            ['1', 'a'],
            ['2', 'b'],
            ['3', ''],
            ['4', null],
            ['5', 'same'],
          ] as const
          await connection.merge(target(table, { columns: ['id', 'name'] }), blocksOf(rows))
          const changed = [
            ['1', 'A'],
            ['2', 'b '],
            ['3', null],
            ['4', ''],
            ['5', 'same'],
          ] as const

          const result = await connection.merge(target(table, { columns: ['id', 'name'] }), blocksOf(changed))

          assert.deepEqual([result.updated, result.unchanged], [4, 1])
          assert.deepEqual(
            (await all(connection, table)).map((row) => row[1]),
            ['A', 'b ', null, '', 'same'],
          )
        })
      })

      test('never overwrites a newer version, and overwrites one of the same age', async () => {
        await inWrite(async (connection) => {
          const table = await create(connection, definition())
          const old = [
            ['1', 'x', '1', at(5)],
            ['2', 'x', '1', at(5)],
            ['3', 'x', '1', at(5)],
            ['4', 'x', '1', null],
          ] as const
          await connection.merge(target(table), blocksOf(old))

          const result = await connection.merge(
            target(table, { version: 'seen' }),
            blocksOf([
              ['1', 'older', '1', at(4)],
              ['2', 'same', '1', at(5)],
              ['3', 'newer', '1', at(6)],
              ['4', 'any', '1', at(1)],
            ]),
          )

          assert.deepEqual(result, { inserted: 0, updated: 3, unchanged: 1, duplicate: 0, rejected: [] })
          assert.deepEqual(
            (await all(connection, table)).map((row) => row[1]),
            ['x', 'same', 'newer', 'any'],
          )
        })
      })

      test('a difference in ignored columns alone changes nothing, but they are written with others', async () => {
        await inWrite(async (connection) => {
          const table = await create(connection, definition())
          await connection.merge(
            target(table),
            blocksOf([
              ['1', 'x', '1', at(1)],
              ['2', 'x', '1', at(1)],
            ]),
          )

          const result = await connection.merge(
            target(table, { ignore: ['seen'] }),
            blocksOf([
              ['1', 'x', '1', at(9)],
              ['2', 'y', '1', at(9)],
            ]),
          )

          assert.deepEqual(result, { inserted: 0, updated: 1, unchanged: 1, duplicate: 0, rejected: [] })
          assert.deepEqual(
            (await all(connection, table)).map((row) => row[3]),
            [at(1), at(9)],
          )
        })
      })

      test('with nothing but the key, or all else ignored, only adds what is absent', async () => {
        await inWrite(async (connection) => {
          const table = await create(connection, definition())
          await connection.merge(target(table), blocksOf([['1', 'x', '1', at(1)]]))

          const keys = await connection.merge(target(table, { columns: ['id'] }), blocksOf([['1'], ['2'], ['2']]))
          const ignored = await connection.merge(
            target(table, { ignore: ['name', 'amount', 'seen'] }),
            blocksOf([
              ['1', 'y', '2', at(2)],
              ['3', 'y', '2', at(2)],
            ]),
          )

          assert.deepEqual(keys, { inserted: 1, updated: 0, unchanged: 1, duplicate: 1, rejected: [] })
          assert.deepEqual(ignored, { inserted: 1, updated: 0, unchanged: 1, duplicate: 0, rejected: [] })
          assert.deepEqual(
            (await all(connection, table)).map((row) => row[1]),
            ['x', null, 'y'],
          )
        })
      })

      test('merges by a key of several columns and by a unique key', async () => {
        await inWrite(async (connection) => {
          const table = await create(
            connection,
            `a ${types.bigint} NOT NULL, b ${types.varchar(10)} NOT NULL, code ${types.varchar(10)} NOT NULL UNIQUE, v ${types.integer}, PRIMARY KEY (a, b)`,
          )
          const all4 = ['v', 'b', 'a', 'code']
          await connection.merge(
            { table, columns: all4, key: ['b', 'a'] },
            blocksOf([
              ['1', 'x', '1', 'c1'],
              ['2', 'y', '1', 'c2'],
            ]),
          )

          const several = await connection.merge(
            { table, columns: all4, key: ['a', 'b'] },
            blocksOf([
              ['9', 'x', '1', 'c1'],
              ['3', 'x', '2', 'c3'],
            ]),
          )
          const unique = await connection.merge(
            { table, columns: all4, key: ['code'] },
            blocksOf([['7', 'y', '1', 'c2']]),
          )

          assert.deepEqual([several.inserted, several.updated, unique.updated], [1, 1, 1])
          assert.deepEqual((await connection.query(`SELECT v FROM ${table} ORDER BY code`)).rows, [['9'], ['7'], ['3']])
        })
      })

      test('inserting refuses a key that is there, row by row', async () => {
        await inWrite(async (connection) => {
          const table = await create(connection, definition())
          await connection.merge(
            target(table),
            blocksOf([
              ['1', 'x', '1', at(1)],
              ['3', 'x', '1', at(1)],
            ]),
          )

          const result = await connection.merge(
            target(table, { mode: 'insert' }),
            blocksOf([
              ['1', 'y', '1', at(1)],
              ['2', 'y', '1', at(1)],
              ['3', 'y', '1', at(1)],
              ['4', 'y', '1', at(1)],
            ]),
          )

          assert.deepEqual([result.inserted, result.updated, result.unchanged, result.duplicate], [2, 0, 0, 0])
          assert.deepEqual(
            result.rejected.map(({ row }) => row),
            [0, 2],
          )
          assert.deepEqual(
            (await all(connection, table)).map((row) => row[1]),
            ['x', 'y', 'x', 'y'],
          )
        })
      })

      test('nothing to merge is nothing done', async () => {
        await inWrite(async (connection) => {
          const table = await create(connection, definition())

          const result = await connection.merge(target(table), () => [])

          assert.deepEqual(result, { inserted: 0, updated: 0, unchanged: 0, duplicate: 0, rejected: [] })
        })
      })

      test('needs a transaction, a table, its columns and a unique key', async () => {
        await using(async (connection) => {
          const table = await create(connection, definition())
          const rows = blocksOf([['1', 'x', '1', at(1)]])

          await refused(connection.merge(target(table), rows), { name: 'Terminal', message: /transaction/ })
          for (const [wrong, message] of [
            [target('no_such_table'), /no_such_table/],
            [target(table, { columns: ['id', 'nope', 'amount', 'seen'] }), /nope/],
            [target(table, { key: ['name'] }), /unique/],
          ] as const) {
            await connection.begin('write')
            await refused(connection.merge(wrong, rows), { name: 'Terminal', message })
            await connection.rollback()
          }
        })
      })

      describe('of rows that the database refuses', () => {
        const checked = () => `${definition()}, small ${fixture.below100}`
        const withSmall = [...columns, 'small']
        const many = (count: number, bad: ReadonlySet<number>, flaw: (row: Text[]) => void): Text[][] =>
          Array.from({ length: count }, (_, index) => {
            const row: Text[] = [String(index), `name ${index}`, '1', at(1), '1']
            if (bad.has(index)) flaw(row)
            return row
          })
        const set = (column: number, value: Text) => (row: Text[]) => {
          row[column] = value
        }
        const flaws: Record<string, (row: Text[]) => void> = {
          'of the wrong type': set(2, 'abc'),
          'that a CHECK refuses': set(4, '100'),
          'without a required value': set(4, null),
        }

        for (const [flaw, spoil] of Object.entries(flaws)) {
          for (const [which, count, bad] of [
            ['the first', 50, [0]],
            ['the last', 50, [49]],
            ['one in 10,000', 10_000, [7_777]],
            ['some', 300, [3, 4, 5, 150, 299]],
            ['all', 200, Array.from({ length: 200 }, (_, index) => index)],
          ] as const) {
            test(`${which} ${flaw}: exactly these are reported, the others are written`, async () => {
              await inWrite(async (connection) => {
                const table = await create(connection, checked())
                const rows = many(count, new Set(bad), spoil)

                const result = await connection.merge(target(table, { columns: withSmall }), blocksOf(rows))

                assert.deepEqual(
                  result.rejected.map(({ row }) => row),
                  bad,
                )
                assert.equal(result.inserted, count - bad.length)
                assert.equal(result.updated + result.unchanged + result.duplicate, 0)
                for (const { row, line, code, message } of result.rejected) {
                  assert.equal(
                    line,
                    blocksOf([rows[row] as Text[]])()[0]
                      ?.bytes.toString()
                      .slice(0, -1),
                  )
                  assert.ok(code.length > 0 && message.length > 0)
                }
                const written = await connection.query(`SELECT id FROM ${adapter.quote(table)} ORDER BY id`)
                const good = rows.filter((_, index) => !(bad as readonly number[]).includes(index))
                assert.deepEqual(
                  written.rows,
                  good.map(([id]) => [id]),
                )
              })
            })
          }
        }

        test('names the column where the database says which', async () => {
          await inWrite(async (connection) => {
            const table = await create(connection, checked())

            const result = await connection.merge(
              target(table, { columns: withSmall }),
              blocksOf(many(3, new Set([1]), (row) => row.splice(4, 1, null))),
            )

            assert.equal(result.rejected[0]?.column, 'small')
          })
        })

        test('several kinds at once, with duplicates, updates and a missing key, add up', async () => {
          await inWrite(async (connection) => {
            const table = await create(connection, checked())
            const merge = (rows: Rows) => connection.merge(target(table, { columns: withSmall }), blocksOf(rows))
            await merge([
              ['1', 'old', '1', at(1), '1'],
              ['2', 'same', '1', at(1), '1'],
            ])

            const result = await merge([
              ['1', 'new', '1', at(1), '1'],
              ['2', 'same', '1', at(1), '1'],
              ['3', 'twice', '1', at(1), '1'],
              ['4', 'type', 'zz', at(1), '1'],
              ['3', 'twice again', '1', at(1), '1'],
              ['5', 'check', '1', at(1), '100'],
              [null, 'no key', '1', at(1), '1'],
              [null, 'no key', '1', at(1), '1'],
              ['6', 'null', '1', at(1), null],
              ['7', 'fine', '1', at(1), '1'],
            ])

            assert.deepEqual(
              result.rejected.map(({ row }) => row),
              [3, 5, 6, 7, 8],
            )
            assert.deepEqual([result.inserted, result.updated, result.unchanged, result.duplicate], [2, 1, 1, 1])
            assert.deepEqual(
              (await all(connection, table)).map((row) => row[1]),
              ['new', 'same', 'twice again', 'fine'],
            )
          })
        })

        test('where the last row of a key is refused, the one before it is written; equation and places stay right', async () => {
          await inWrite(async (connection) => {
            const table = await create(connection, checked())
            const merge = (rows: Rows) => connection.merge(target(table, { columns: withSmall }), blocksOf(rows))
            await merge([
              ['1', 'old', '1', at(1), '1'],
              ['2', 'same', '1', at(1), '1'],
            ])
            const rows: Text[][] = [
              ['0', 'type', 'zz', at(1), '1'],
              ['1', 'first', '1', at(1), '1'],
              ['1', 'second', '1', at(1), '1'],
              ['2', 'same', '1', at(1), '1'],
              ['3', 'all', '1', at(1), '300'],
              ['1', 'third', '1', at(1), '100'],
              ['4', 'fine', '1', at(1), '1'],
              ['4', 'winner', '1', at(1), '2'],
              ['2', 'refused', '1', at(1), '100'],
              ['3', 'all', '1', at(1), '200'],
              ['1', 'last', '1', at(1), '100'],
              ['5', 'new', '1', at(1), '1'],
              ['5', 'refused', '1', at(1), '100'],
            ]

            const result = await merge(rows)

            assert.deepEqual(
              result.rejected.map(({ row, line }) => [row, line.split('\t').at(-1)]),
              [
                [0, '1'],
                [4, '300'],
                [5, '100'],
                [8, '100'],
                [9, '200'],
                [10, '100'],
                [12, '100'],
              ],
            )
            assert.deepEqual([result.inserted, result.updated, result.unchanged, result.duplicate], [2, 1, 1, 2])
            assert.deepEqual(
              (await all(connection, table)).map((row) => [row[0], row[1]]),
              [
                ['1', 'second'],
                ['2', 'same'],
                ['4', 'winner'],
                ['5', 'new'],
              ],
            )
          })
        })

        test('rows that are only inserted stand in for a refused one as well', async () => {
          await inWrite(async (connection) => {
            const table = await create(connection, checked())
            const rows: Rows = [
              ['1', 'good', '1', at(1), '1'],
              ['1', 'bad', '1', at(1), '100'],
              ['2', 'fine', '1', at(1), '1'],
            ]

            const result = await connection.merge(target(table, { columns: withSmall, mode: 'insert' }), blocksOf(rows))

            assert.deepEqual([result.inserted, result.duplicate, result.rejected.map(({ row }) => row)], [2, 0, [1]])
            assert.deepEqual(
              (await all(connection, table)).map((row) => row[1]),
              ['good', 'fine'],
            )
          })
        })

        test('of a key with very many refused rows the rest is reported without being tried', async () => {
          await inWrite(async (connection) => {
            const table = await create(connection, checked())
            const rows: Rows = Array.from({ length: 300 }, (_, index) => ['1', `bad ${index}`, '1', at(1), '100'])

            const result = await connection.merge(target(table, { columns: withSmall }), blocksOf(rows))

            assert.deepEqual([result.inserted, result.duplicate, result.rejected.length], [0, 0, 300])
            assert.match(result.rejected[0]?.message ?? '', /^not tried/)
            assert.doesNotMatch(result.rejected[299]?.message ?? '', /^not tried/)
            assert.ok(result.rejected.every(({ row, line }) => line.includes(`bad ${row}\t`)))
          })
        })

        test('a row that breaks another unique key or a foreign key is reported alone', async () => {
          await inWrite(async (connection) => {
            const parent = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`)
            const table = await create(
              connection,
              `id ${types.bigint} NOT NULL PRIMARY KEY, code ${types.varchar(10)} UNIQUE, parent ${types.bigint}, FOREIGN KEY (parent) REFERENCES ${parent} (id)`,
            )
            await insert(connection, parent, ['1'])
            const three = { table, columns: ['id', 'code', 'parent'], key: ['id'] }
            await connection.merge(three, blocksOf([['1', 'a', '1']]))

            const result = await connection.merge(
              three,
              blocksOf([
                ['2', 'a', '1'],
                ['3', 'b', '1'],
                ['4', 'c', '99'],
                ['5', 'd', null],
              ]),
            )

            assert.deepEqual(
              result.rejected.map(({ row }) => row),
              [0, 2],
            )
            assert.deepEqual(
              (await all(connection, table)).map(([id]) => id),
              ['1', '3', '5'],
            )
          })
        })

        test('a row before one that breaks another unique key or a foreign key stands in for it', async () => {
          await inWrite(async (connection) => {
            const parent = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`)
            const table = await create(
              connection,
              `id ${types.bigint} NOT NULL PRIMARY KEY, code ${types.varchar(10)} UNIQUE, parent ${types.bigint}, FOREIGN KEY (parent) REFERENCES ${parent} (id)`,
            )
            await insert(connection, parent, ['1'])
            const three = { table, columns: ['id', 'code', 'parent'], key: ['id'] }
            await connection.merge(three, blocksOf([['1', 'a', '1']]))

            const result = await connection.merge(
              three,
              blocksOf([
                ['2', 'b', '1'],
                ['2', 'a', '1'],
                ['3', 'c', '1'],
                ['3', 'd', '99'],
              ]),
            )

            assert.deepEqual([result.inserted, result.duplicate, result.rejected.map(({ row }) => row)], [2, 0, [1, 3]])
            assert.deepEqual(
              (await all(connection, table)).map(([id, code]) => [id, code]),
              [
                ['1', 'a'],
                ['2', 'b'],
                ['3', 'c'],
              ],
            )
          })
        })

        test('a line of too few or too many fields is reported', async () => {
          await inWrite(async (connection) => {
            const table = await create(connection, definition())
            const block = {
              bytes: Buffer.from(`1\tx\t1\t${at(1)}\n2\tx\n3\tx\t1\t${at(1)}\tmore\n4\tx\t1\t${at(1)}\n`),
              rows: 4,
            }

            const result = await connection.merge(target(table), () => [block])

            assert.deepEqual(
              result.rejected.map(({ row, line }) => [row, line]),
              [
                [1, '2\tx'],
                [2, `3\tx\t1\t${at(1)}\tmore`],
              ],
            )
            assert.deepEqual(
              (await all(connection, table)).map(([id]) => id),
              ['1', '4'],
            )
          })
        })

        test('text with a NUL is reported, or kept where it can be', async () => {
          await inWrite(async (connection) => {
            const table = await create(connection, definition())

            const result = await connection.merge(
              target(table),
              blocksOf([
                ['1', 'a\0b', '1', at(1)],
                ['2', 'x', '1', at(1)],
              ]),
            )

            assert.deepEqual(
              result.rejected.map(({ row, column }) => [row, column]),
              fixture.refusesNul ? [[0, 'name']] : [],
            )
            if (fixture.refusesNul) assert.match(result.rejected[0]?.message ?? '', /NUL/)
            assert.deepEqual(
              (await all(connection, table)).map((row) => row[1]),
              fixture.refusesNul ? ['x'] : ['a\0b', 'x'],
            )
          })
        })

        test('savepoints of the caller still work afterwards', async () => {
          await inWrite(async (connection) => {
            const table = await create(connection, checked())
            await connection.savepoint('before')
            const merge = (id: string, small: Text) =>
              connection.merge(
                target(table, { columns: withSmall }),
                blocksOf([
                  [id, 'x', '1', at(1), small],
                  ['9', 'x', '1', at(1), '1'],
                ]),
              )

            await merge('1', '100')
            await connection.rollbackTo('before')
            const again = await merge('2', null)
            await connection.releaseSavepoint('before')

            assert.deepEqual([again.inserted, again.rejected.length], [1, 1])
            assert.deepEqual(
              (await all(connection, table)).map(([id]) => id),
              ['9'],
            )
          })
        })
      })
    })

    describe('transactions', () => {
      test('nothing of a rolled back transaction stays', async () => {
        await using(async (connection) => {
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`)
          await connection.begin('write')
          await insert(connection, table, ['1'])

          await connection.rollback()

          assert.deepEqual(await all(connection, table), [])
        })
      })

      test('savepoints nest', async () => {
        await inWrite(async (connection) => {
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`)
          await connection.savepoint('outer')
          await insert(connection, table, ['1'])
          await connection.savepoint('in "ner')
          await insert(connection, table, ['2'])
          await connection.rollbackTo('in "ner')
          await insert(connection, table, ['3'])
          await connection.releaseSavepoint('in "ner')
          await connection.releaseSavepoint('outer')

          assert.deepEqual(await all(connection, table), [['1'], ['3']])
        })
      })

      test('COMMIT throws when the database has rolled back', {
        skip: !fixture.failureSpoilsTransaction && 'a failed statement spoils no transaction here',
      }, async () => {
        await using(async (connection) => {
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`)
          await connection.begin('write')
          await insert(connection, table, ['1'])
          await connection.query('SELECT nope').catch(() => {})

          await refused(connection.commit(), { name: 'Transient', message: /ROLLBACK/ })
          assert.deepEqual(await all(connection, table), [])
        })
      })

      test('counts the rows that a statement wrote', async () => {
        await using(async (connection) => {
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, v ${types.integer}`)

          const inserted = await connection.query(`INSERT INTO ${table} VALUES (1, 1), (2, 1), (3, 2)`)
          const updated = await connection.query(`UPDATE ${table} SET v = 5 WHERE v = 1`)
          const selected = await connection.query(`SELECT * FROM ${table}`)
          const deleted = await connection.query(`DELETE FROM ${table}`)

          assert.deepEqual(
            [inserted, updated, selected, deleted].map(({ affected }) => affected),
            [3, 2, 0, 3],
          )
        })
      })

      test('a transaction left open is not passed on', async () => {
        const table = await using((connection) => create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`))
        const connection = await adapter.acquire()
        await connection.begin('write')
        await insert(connection, table, ['1'])
        await adapter.release(connection)

        await inWrite((other) => insert(other, table, ['2']))

        assert.deepEqual(await using((other) => all(other, table)), [['2']])
      })
    })

    describe('the live table', () => {
      test('is described with its types, keys and what may be left out', async () => {
        await using(async (connection) => {
          const table = await create(
            connection,
            `b ${types.varchar(10)} NOT NULL, a ${types.bigint} NOT NULL, ${adapter.quote('or"der')} ${types.varchar(20)} DEFAULT 'x', u ${types.varchar(10)} NOT NULL, PRIMARY KEY (a, b), UNIQUE (u, b)`,
          )

          const live = await connection.describe(table)

          assert.deepEqual(
            live?.columns.map(({ name: column, nullable, hasDefault }) => [column, nullable, hasDefault]),
            [
              ['b', false, false],
              ['a', false, false],
              ['or"der', true, true],
              ['u', false, false],
            ],
          )
          assert.match(live?.columns[0]?.type ?? '', /10/)
          assert.deepEqual(live?.primaryKey, ['a', 'b'])
          assert.deepEqual(live?.uniqueKeys, [['u', 'b']])
        })
      })

      test('is null when there is none', async () => {
        await using(async (connection) => {
          assert.equal(await connection.describe('no_such_table'), null)
        })
      })
    })

    describe('a query', () => {
      test('is described with the names and types of its columns, and is not run', async () => {
        await using(async (connection) => {
          const table = await create(
            connection,
            `${adapter.quote('Two words')} ${types.bigint} NOT NULL PRIMARY KEY, word ${types.varchar(12)}, at ${types.timestamp}`,
          )
          const expressions = Object.keys(fixture.queryTypes)
          const list = expressions.map((expression, place) => `${expression} AS ${adapter.quote(`c${place}`)}`)

          const live = await connection.describeQuery(
            `WITH one AS (SELECT * FROM ${table} WHERE word <> ${adapter.placeholder(1)}) SELECT ${list.join(', ')} FROM one GROUP BY word, at, ${adapter.quote('Two words')} -- ;`,
            ["it's"],
          )

          assert.deepEqual(
            live.map(({ name: column, type }) => [column, type]),
            Object.values(fixture.queryTypes).map((type, place) => [`c${place}`, type]),
          )
          assert.ok(live.every(({ nullable, hasDefault, isComputed }) => nullable && !hasDefault && !isComputed))
          assert.equal((await connection.query('SELECT 1')).rows[0]?.[0], '1')
        })
      })

      test('that the database refuses is a fault of the configuration, with what is wrong with it', async () => {
        await using(async (connection) => {
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`)
          const asked: Record<string, RegExp> = {
            'SELECT 1 FROM no_such_table': /warehouse|crm.*no_such_table/,
            [`SELECT no_such_column FROM ${table}`]: /no_such_column/,
            [`SELECT frm ${table} WHERE`]: /syntax|incomplete/i,
          }
          for (const [sql, message] of Object.entries(asked)) {
            await refused(connection.describeQuery(sql), { name: 'Configuration', message })
          }
          assert.deepEqual(await connection.describeQuery(`SELECT id FROM ${table}`).then((live) => live.length), 1)
        })
      })
    })

    describe('errors', () => {
      test('an unknown table or column is Terminal and named', async () => {
        await using(async (connection) => {
          await refused(connection.query('SELECT * FROM no_such_table'), { name: 'Terminal', message: /no_such_table/ })
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY`)
          await refused(connection.query(`SELECT no_such_column FROM ${table}`), {
            name: 'Terminal',
            message: /no_such_column/,
          })
        })
      })

      test('a refused value is DataQuality with its code', async () => {
        await using(async (connection) => {
          const table = await create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, v ${types.integer} NOT NULL`)
          await insert(connection, table, ['1', '1'])

          const missing = await refused(insert(connection, table, ['2', null]), { name: 'DataQuality' })
          await refused(insert(connection, table, ['1', '1']), { name: 'DataQuality' })

          assert.equal((missing as Error & { field: string }).field, 'v')
        })
      })
    })

    describe('settledUntil', () => {
      const micros = (text: string) => {
        assert.match(text, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/)
        return Date.parse(`${text.slice(0, 23).replace(' ', 'T')}Z`)
      }

      test('is the clock of the database less the lag', async () => {
        await using(async (connection) => {
          await connection.begin('snapshot')
          const { until } = await connection.settledUntil(0)
          const lagged = await connection.settledUntil(90)
          await connection.commit()

          // Other tests have transactions open for some seconds on a server that shows those of all databases.
          const isNear = (time: number, lag: number) => Math.abs(Date.now() - lag - time) < 60_000
          assert.ok(isNear(micros(until), 0), until)
          assert.ok(isNear(micros(lagged.until), 90_000), lagged.until)
          const between = micros(until) - micros(lagged.until)
          assert.ok(between > 30_000 && between <= 90_000, `${between} ms`)
          if (fixture.server === undefined) assert.equal(between, 90_000)
        })
      })

      test('never passes a transaction that is still open', async () => {
        await using(async (writer) => {
          const table = await create(writer, `id ${types.bigint} NOT NULL PRIMARY KEY`)
          await writer.begin('write')
          await insert(writer, table, ['1'])
          const inserted = Date.now()
          await delay(1_500)
          const open = await using(async (reader) => {
            await reader.begin('snapshot')
            const horizon = await reader.settledUntil(0)
            await reader.commit()
            return horizon
          })
          await writer.commit()

          if (fixture.seesOpenTransactions)
            assert.ok(micros(open.until) <= inserted, `${open.until} is behind a row of ${inserted}`)
          else {
            assert.equal(open.exact, false)
            assert.match(open.reason ?? '', /lag/)
          }
        })
      })
    })

    const { server } = fixture
    describe('sessions', { skip: server === undefined && 'there is no server' }, () => {
      test('one that died while idle is replaced silently', async () => {
        const session = await using(async (connection) => {
          const [[own] = []] = (await connection.query(server?.session ?? '')).rows
          return String(own)
        })
        const killer = await adapter.acquire()
        const other = await adapter.acquire()
        const sessions = new Map<string, Connection>()
        for (const connection of [killer, other]) {
          sessions.set(String((await connection.query(server?.session ?? '')).rows[0]?.[0]), connection)
        }
        const [victimId, victim] =
          [...sessions].find(([id]) => id === session) ?? ([...sessions][0] as [string, Connection])
        const survivor = [...sessions.values()].find((connection) => connection !== victim) as Connection
        await adapter.release(victim)
        await server?.kill(survivor, victimId)

        const replaced = await using((connection) => streamed(connection, fixture.series(1)))

        await adapter.release(survivor)
        assert.deepEqual(replaced, [['1']])
      })

      test('one that dies at work is Transient', async () => {
        const victim = await adapter.acquire()
        const id = String((await victim.query(server?.session ?? '')).rows[0]?.[0])
        await victim.begin('write')
        await using((killer) => server?.kill(killer, id) as Promise<void>)

        await refused(victim.query(fixture.series(1)), { name: 'Transient' })
        await adapter.release(victim)
      })

      test('an abort stops the statement at the server, too', async () => {
        const connection = await adapter.acquire()
        const id = String((await connection.query(server?.session ?? '')).rows[0]?.[0])
        const controller = new AbortController()
        const work = connection.query(server?.sleep(30) ?? '', [], { signal: controller.signal })
        const started = Date.now()
        const isRunning = () =>
          using(async (watcher) => (await watcher.query(server?.running(id) ?? '')).rows.length > 0)
        while (!(await isRunning())) assert.ok(Date.now() - started < 10_000)

        controller.abort(new Error('deadline'))

        await refused(work, { name: 'Transient' })
        await adapter.release(connection)
        while (await isRunning()) assert.ok(Date.now() - started < 10_000, 'the statement still runs')
        assert.ok(Date.now() - started < 10_000)
      })

      test('an abort stops a merge that waits for a lock', async () => {
        const table = await using((connection) =>
          create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, v ${types.integer}`),
        )
        await using((connection) => insert(connection, table, ['1', '1']))
        await using(async (holder) => {
          await holder.begin('write')
          await holder.query(`UPDATE ${table} SET v = 2`)
          const connection = await adapter.acquire()
          await connection.begin('write')

          const merging = connection.merge({ table, columns: ['id', 'v'], key: ['id'] }, blocksOf([['1', '3']]), {
            signal: AbortSignal.timeout(300),
          })

          await refused(merging, { name: 'Transient' })
          await adapter.release(connection)
          await holder.commit()
        })
        assert.deepEqual(await using((connection) => all(connection, table)), [['1', '2']])
      })

      test('a deadlock within a merge is Transient, no row is blamed for it', async () => {
        const table = await using((connection) =>
          create(connection, `id ${types.bigint} NOT NULL PRIMARY KEY, v ${types.integer}`),
        )
        const into = { table, columns: ['id', 'v'], key: ['id'] }
        await inWrite((connection) =>
          connection.merge(
            into,
            blocksOf([
              ['1', '0'],
              ['2', '0'],
            ]),
          ),
        )
        const [one, two] = [await adapter.acquire(), await adapter.acquire()]
        await one.begin('write')
        await two.begin('write')
        await one.merge(into, blocksOf([['1', '1']]))
        await two.merge(into, blocksOf([['2', '2']]))

        const both = [one, two].map(async (connection, index) => {
          try {
            await connection.merge(into, blocksOf([[index === 0 ? '2' : '1', '9']]))
            await connection.commit()
          } catch (error) {
            await connection.rollback()
            throw error
          }
        })
        const outcomes = await Promise.allSettled(both)

        await adapter.release(one, true)
        await adapter.release(two, true)
        const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
        assert.deepEqual(
          failed.map(({ reason }) => adapter.translate(reason).name),
          ['Transient'],
        )
      })
    })
  })
}
