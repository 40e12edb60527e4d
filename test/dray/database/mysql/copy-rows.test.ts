import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import { encodeLine } from 'dray/internal/block/copy-text.ts'
import { CopyRows } from 'dray/internal/database/mysql/copy-rows.ts'
import { takeRowPackets } from 'dray/internal/database/mysql/row-packets.ts'

/** https://mariadb.com/kb/en/protocol-data-types/#length-encoded-strings */
function lengthEncoded(value: Buffer | null): Buffer {
  if (value === null) return Buffer.of(251)
  const { length } = value
  if (length < 251) return Buffer.concat([Buffer.of(length), value])
  if (length < 1 << 16) return Buffer.concat([Buffer.of(252, length & 255, length >> 8), value])
  return Buffer.concat([Buffer.of(253, length & 255, (length >> 8) & 255, length >> 16), value])
}

const packetOf = (values: readonly (Buffer | null)[]) => Buffer.concat(values.map(lengthEncoded))
const bytesOf = (value: Text) => (value === null ? null : Buffer.from(value))

describe('rows as MySQL sends them', () => {
  for (const [name, values] of [
    ['of any length', ['', 'a', 'ä'.repeat(125), 'b'.repeat(251), 'c'.repeat(65_535), 'd'.repeat(70_000)]],
    ['with characters that are escaped', ['\t', 'a\nb', '\r\\', '\b\f\v\0', '\\N']],
    ['that are NULL', [null, '', null]],
    ['of one NULL', [null]],
  ] as const) {
    test(`are the COPY text of values ${name}`, () => {
      const rows = new CopyRows()
      const packet = packetOf(values.map(bytesOf))

      rows.row(Buffer.concat([Buffer.from('head'), packet, Buffer.from('tail')]), 4, 4 + packet.length, [])

      assert.equal(rows.rest()?.bytes.toString(), `${encodeLine(values)}\n`)
    })
  }

  test('are hexadecimal where a column holds bytes', () => {
    const rows = new CopyRows()
    const packet = packetOf([Buffer.from('a'), Buffer.of(0, 9, 92, 255), null])

    rows.row(packet, 0, packet.length, [1, 2])

    assert.equal(rows.rest()?.bytes.toString(), `${encodeLine(['a', '\\x00095cff', null])}\n`)
  })

  test('are cut into blocks of whole rows, which later rows leave alone', () => {
    const rows = new CopyRows()
    const packet = packetOf([Buffer.from('x'.repeat(999))])
    const blocks = Array.from({ length: 600 }, () => rows.row(packet, 0, packet.length, [])).filter(
      (block) => block !== null,
    )

    const rest = rows.rest()

    assert.deepEqual(
      blocks.map((block) => [block.rows, block.bytes.length]),
      [
        [263, 263_000],
        [263, 263_000],
      ],
    )
    assert.equal(rest?.rows, 74)
    assert.ok(blocks.every(({ bytes }) => bytes.every((byte, at) => byte === (at % 1_000 === 999 ? 10 : 120))))
    assert.equal(rows.rest(), null)
  })

  test('are not asked of a driver that reads rows in another way', () => {
    assert.throws(() => takeRowPackets({}, () => {}), { name: 'Terminal', message: /mysql2/ })
  })
})
