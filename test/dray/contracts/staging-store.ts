import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import type { StagedObject } from 'dray/internal/messages/staged-object.ts'
import type { Block, StagingStore } from 'dray/internal/staging/staging-store.ts'

const COPY = { format: 'copy-text', columns: ['id', 'na\nme', '__proto__'] } as const

/** What a suite needs besides the store: raw access to the bytes of an object. */
export interface StagingUnderTest {
  readonly store: StagingStore
  bytesOf(key: string): Promise<Buffer>
  replace(key: string, bytes: Buffer): Promise<void>
  drop(key: string): Promise<void>
  /** Everything that lies in the store, unfinished objects included. */
  leftovers(): Promise<string[]>
}

function rows(count: number, width = 100): Block {
  const lines = Array.from({ length: count }, (_, row) => `${row}\t${'å'.repeat(width / 2)}\t\\N\n`)
  return { bytes: Buffer.from(lines.join('')), rows: count }
}

async function drain(store: StagingStore, object: StagedObject): Promise<Block[]> {
  const blocks: Block[] = []
  for await (const block of (await store.read(object)).blocks) blocks.push(block)
  return blocks
}

function joined(blocks: readonly Block[]): Buffer {
  return Buffer.concat(blocks.map((block) => block.bytes))
}

function lineEnds(bytes: Buffer): number {
  return bytes.toString('latin1').split('\n').length - 1
}

/** What every staging store does, whatever it stores in. */
export function stagingStoreContract(name: string, make: () => StagingUnderTest): void {
  describe(`${name}, as a staging store`, () => {
    test('returns the header and the bytes as they were written', async () => {
      const { store } = make()
      const written = [rows(3), rows(2)]

      const object = await store.write('run-1/orders', COPY, written)
      const content = await store.read(object)
      const blocks = await drain(store, object)

      for await (const _ of content.blocks);
      assert.deepEqual(content.header, COPY)
      assert.deepEqual(joined(blocks), joined(written))
      assert.equal(object.rows, 5)
      assert.equal(object.bytes, joined(written).length)
    })

    test('keeps the header as a first line of JSON and the body after it, under the checksum of both', async () => {
      const { store, bytesOf } = make()

      const object = await store.write('run-2/orders', COPY, [rows(4)])
      const bytes = await bytesOf(object.key)

      const end = bytes.indexOf(10) + 1
      assert.deepEqual(JSON.parse(bytes.subarray(0, end).toString()), { version: 1, ...COPY })
      assert.deepEqual(bytes.subarray(end), rows(4).bytes)
      assert.equal(object.sha256, createHash('sha256').update(bytes).digest('hex'))
    })

    test('removes an object, and finds nothing wrong in one that is not there', async () => {
      const { store } = make()
      const [first, second] = [
        await store.write('run-2b/orders', COPY, [rows(1)]),
        await store.write('run-2b/orders', COPY, [rows(1)]),
      ]

      await store.remove(first.key)
      await store.remove(first.key)

      assert.deepEqual(await store.list('run-2b'), [second.key])
      await assert.rejects(drain(store, first), { name: 'StagedObjectMissing' })
    })

    test('writes each attempt under a name of its own', async () => {
      const { store } = make()

      const first = await store.write('run-3/orders', COPY, [rows(1)])
      const second = await store.write('run-3/orders', COPY, [rows(1)])

      assert.notEqual(first.key, second.key)
      assert.deepEqual(await store.list('run-3'), [first.key, second.key].sort())
    })

    test('reads an object without rows as no blocks', async () => {
      const { store } = make()

      const object = await store.write('run-4/orders', COPY, [])
      const blocks = await drain(store, object)

      assert.deepEqual(blocks, [])
      assert.deepEqual([object.rows, object.bytes], [0, 0])
    })

    test('cuts blocks at row ends only, with their rows counted, in blocks of 64 KiB to 1 MiB', async () => {
      const { store } = make()
      const written = Array.from({ length: 40 }, (_, index) => rows(1000 + index, 90 + (index % 7) * 2))

      const object = await store.write('run-5/orders', COPY, written)
      const blocks = await drain(store, object)

      assert.deepEqual(joined(blocks), joined(written))
      for (const block of blocks) assert.equal(block.rows, lineEnds(block.bytes))
      for (const block of blocks) assert.equal(block.bytes.at(-1), 10)
      for (const block of blocks.slice(0, -1))
        assert.ok(block.bytes.length >= 65_536 && block.bytes.length <= 1_048_576)
    })

    test('carries a row that is longer than any chunk', async () => {
      const { store } = make()
      const long = { bytes: Buffer.from(`1\t${'x'.repeat(5_000_000)}\n`), rows: 1 }
      const written = [rows(10), long, rows(10)]

      const object = await store.write('run-6/orders', COPY, written)
      const blocks = await drain(store, object)

      assert.deepEqual(joined(blocks), joined(written))
      assert.equal(
        blocks.reduce((sum, block) => sum + block.rows, 0),
        21,
      )
    })

    test('lends blocks that are right until the next is asked for, whatever the length of their rows', async () => {
      const { store } = make()
      const long = (length: number) => ({ bytes: Buffer.from(`1\t${'y'.repeat(length)}\n`), rows: 1 })
      const written = [
        rows(9000),
        long(100_000),
        rows(3000),
        long(700_000),
        rows(1),
        long(30_000),
        rows(20_000, 40),
        rows(1),
      ]

      const object = await store.write('run-lent/orders', COPY, written)
      const read: Block[] = []
      for await (const { bytes, rows: count } of (await store.read(object, { areBlocksLent: true })).blocks) {
        read.push({ bytes: Buffer.from(bytes), rows: count })
        await new Promise((resolve) => setImmediate(resolve))
      }

      assert.ok(joined(read).equals(joined(written)))
      for (const block of read) assert.equal(block.rows, lineEnds(block.bytes))
    })

    test('carries an object of many parts, bytes intact', async () => {
      const { store } = make()
      const block = rows(4000)
      const count = Math.ceil((20 * 1024 * 1024) / block.bytes.length)
      const hash = createHash('sha256')

      const object = await store.write('run-7/orders', COPY, Array(count).fill(block))
      for await (const { bytes } of (await store.read(object)).blocks) hash.update(bytes)

      const expected = createHash('sha256')
      for (let index = 0; index < count; index++) expected.update(block.bytes)
      assert.equal(object.rows, count * 4000)
      assert.equal(hash.digest('hex'), expected.digest('hex'))
    })

    test('can be left in the middle of an object, again and again', async () => {
      const { store } = make()
      const object = await store.write('run-8/orders', COPY, Array(40).fill(rows(1000)))

      for (let attempt = 0; attempt < 60; attempt++) {
        for await (const block of (await store.read(object)).blocks) if (block.rows > 0) break
      }

      assert.equal(
        (await drain(store, object)).reduce((sum, block) => sum + block.rows, 0),
        40_000,
      )
    })

    test('leaves nothing behind when the source of the rows fails', async () => {
      const { store, leftovers } = make()
      async function* broken(): AsyncGenerator<Block> {
        for (let index = 0; index < 25; index++) yield rows(10_000)
        throw new Error('the source went away')
      }

      await assert.rejects(store.write('run-9/orders', COPY, broken()), /the source went away/)

      assert.deepEqual(await store.list('run-9'), [])
      assert.deepEqual(
        (await leftovers()).filter((found) => found.includes('run-9')),
        [],
      )
    })

    test('stops writing when the caller gives up, for the reason given, and leaves nothing behind', async () => {
      const { store, leftovers } = make()
      const controller = new AbortController()
      async function* endless(): AsyncGenerator<Block> {
        for (let index = 0; ; index++) {
          if (index === 25) controller.abort(new Error('deadline'))
          yield rows(10_000)
        }
      }

      await assert.rejects(store.write('run-10/orders', COPY, endless(), { signal: controller.signal }), /deadline/)

      assert.deepEqual(
        (await leftovers()).filter((found) => found.includes('run-10')),
        [],
      )
    })

    test('stops reading when the caller gives up, for the reason given', async () => {
      const { store } = make()
      const object = await store.write('run-11/orders', COPY, Array(40).fill(rows(1000)))
      const controller = new AbortController()
      const content = await store.read(object, { signal: controller.signal })

      const reading = (async () => {
        for await (const _ of content.blocks) controller.abort(new Error('deadline'))
      })()

      await assert.rejects(reading, /deadline/)
    })

    test('refuses a block whose last row is cut', async () => {
      const { store } = make()
      const cut = { bytes: Buffer.from('1\t2\n3\t'), rows: 2 }

      await assert.rejects(store.write('run-12/orders', COPY, [cut]), { name: 'Terminal' })

      assert.deepEqual(await store.list('run-12'), [])
    })

    describe('given an object of another format', () => {
      /** An object with this first line and one row. */
      async function withHeader(header: object): Promise<{ store: StagingStore; object: StagedObject }> {
        const { store, replace } = make()
        const { key } = await store.write('format/orders', COPY, [rows(1)])
        const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), rows(1).bytes])
        await replace(key, bytes)
        const sha256 = createHash('sha256').update(bytes).digest('hex')
        return { store, object: { key, rows: 1, bytes: rows(1).bytes.length, sha256 } }
      }

      test('reads one from before formats were said', async () => {
        const { store, object } = await withHeader(COPY)

        assert.deepEqual((await store.read(object)).header, COPY)
        assert.deepEqual(joined(await drain(store, object)), rows(1).bytes)
      })

      test('refuses one that a newer version has written, and says what to do', async () => {
        const { store, object } = await withHeader({ version: 2, format: 'copy-text', packed: true })
        const refused = { name: 'Terminal', message: /format\/orders\/.* is of format 2, written by a newer .* Deploy/ }

        await assert.rejects(store.read(object), refused)
        await assert.rejects(store.open(object.key), refused)
      })
    })

    describe('given a damaged object', () => {
      async function staged(prefix: string): Promise<{ under: StagingUnderTest; object: StagedObject; bytes: Buffer }> {
        const under = make()
        const object = await under.store.write(prefix, COPY, [rows(5000)])
        return { under, object, bytes: await under.bytesOf(object.key) }
      }

      test('says that it is missing, with its place', async () => {
        const { under, object } = await staged('damage-1/orders')
        await under.drop(object.key)

        await assert.rejects(under.store.read(object), (error: Error) => {
          assert.equal(error.name, 'StagedObjectMissing')
          return error.message.includes(object.key)
        })
      })

      test('throws for one that is cut at a row end', async () => {
        const { under, object, bytes } = await staged('damage-2/orders')
        await under.replace(object.key, bytes.subarray(0, bytes.lastIndexOf(10, -2) + 1))

        await assert.rejects(drain(under.store, object), {
          name: 'StagedObjectDamaged',
          message: /4999 rows where 5000 were written/,
        })
      })

      test('throws for one that is cut within a row and never yields that row', async () => {
        const { under, object, bytes } = await staged('damage-3/orders')
        await under.replace(object.key, bytes.subarray(0, -20))
        const seen: Block[] = []

        const reading = (async () => {
          for await (const block of (await under.store.read(object)).blocks) seen.push(block)
        })()

        await assert.rejects(reading, { name: 'StagedObjectDamaged', message: /last row is cut/ })
        for (const block of seen) assert.equal(block.bytes.at(-1), 10)
      })

      test('throws for one that is empty, rather than taking it for zero rows', async () => {
        const { under, object } = await staged('damage-4/orders')
        await under.replace(object.key, Buffer.alloc(0))

        await assert.rejects(drain(under.store, object), { name: 'StagedObjectDamaged' })
      })

      test('throws for one that has lost all rows but the header', async () => {
        const { under, object, bytes } = await staged('damage-5/orders')
        await under.replace(object.key, bytes.subarray(0, bytes.indexOf(10) + 1))

        await assert.rejects(drain(under.store, object), { name: 'StagedObjectDamaged' })
      })

      for (const [where, place] of [
        ['body', 300_000],
        ['header', Buffer.from(JSON.stringify({ version: 1, ...COPY })).indexOf('id')],
      ] as const) {
        test(`throws for one byte changed in the ${where}`, async () => {
          const { under, object, bytes } = await staged(`damage-6/${where}`)
          bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place)
          await under.replace(object.key, bytes)

          await assert.rejects(drain(under.store, object), { name: 'StagedObjectDamaged', message: /SHA-256 differs/ })
        })
      }

      test('throws for rows that were added', async () => {
        const { under, object, bytes } = await staged('damage-7/orders')
        await under.replace(object.key, Buffer.concat([bytes, Buffer.from('9\tz\t\\N\n')]))

        await assert.rejects(drain(under.store, object), {
          name: 'StagedObjectDamaged',
          message: /more than the \d+ bytes/,
        })
      })

      test('throws for another object of the same size under its name', async () => {
        const { under, object } = await staged('damage-8/orders')
        const other = rows(5000).bytes.map((byte) => (byte === 48 ? 49 : byte))
        const stale = await under.store.write('damage-8/orders', COPY, [{ bytes: Buffer.from(other), rows: 5000 }])
        await under.replace(object.key, await under.bytesOf(stale.key))

        await assert.rejects(drain(under.store, object), { name: 'StagedObjectDamaged', message: /SHA-256 differs/ })
      })
    })

    test('lists keys under a folder, not under names that begin alike, sorted', async () => {
      const { store } = make()
      const first = await store.write('list-1/a', COPY, [rows(1)])
      const second = await store.write('list-1/b/c', COPY, [rows(1)])
      const other = await store.write('list-10/a', COPY, [rows(1)])

      const found = await store.list('list-1')

      assert.deepEqual(found, [first.key, second.key].sort())
      assert.deepEqual(await store.list(first.key), [first.key])
      assert.deepEqual(await store.list('list-2'), [])
      assert.ok((await store.list('')).includes(other.key))
    })

    for (const key of [
      '../up',
      'a/../../up',
      '/etc/passwd',
      'a\0b',
      'a\\..\\b',
      '.',
      'a//b',
      'a/',
      'a\nb',
      'a\ud800b',
    ]) {
      test(`refuses the key ${JSON.stringify(key)}, which could leave the store`, async () => {
        const { store } = make()
        const refused = { name: 'Configuration' }

        await assert.rejects(store.write(key, COPY, [rows(1)]), refused)
        await assert.rejects(store.read({ key, rows: 0, bytes: 0, sha256: '' }), refused)
        await assert.rejects(store.list(key), refused)
        assert.throws(() => store.locate(key), refused)
      })
    }

    test('takes names in any script and with spaces and signs', async () => {
      const { store } = make()
      const prefix = 'names/Ääkköset 注文 ☃/a b+c%2F&=?#\'"<>'

      const object = await store.write(prefix, COPY, [rows(1)])

      assert.deepEqual(await store.list(prefix), [object.key])
      assert.equal((await drain(store, object)).length, 1)
    })
  })
}
