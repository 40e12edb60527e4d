import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { CopyFrames } from 'dray/internal/database/postgres/copy-frames.ts'
import { rawControls } from 'dray/internal/database/postgres/copy-out.ts'

function message(code: string, body: string): Buffer {
  const header = Buffer.alloc(5)
  header.write(code)
  header.writeUInt32BE(Buffer.byteLength(body) + 4, 1)
  return Buffer.concat([header, Buffer.from(body)])
}

const ROWS = ['1\tä\n', '\n', `2\t${'x'.repeat(40)}\n`, '', '3\t\\N\n']
const OTHERS = [message('H', 'formats'), message('N', 'a notice'), message('c', ''), message('C', 'COPY 5')]
const [formats, notice, done, complete] = OTHERS as [Buffer, Buffer, Buffer, Buffer]
const rows = ROWS.map((row) => message('d', row))
const answer = Buffer.concat([formats, ...rows.slice(0, 2), notice, ...rows.slice(2), done, complete])
const ready = message('Z', 'I')
const behind = message('S', 'behind it')

/** What comes of a conversation that the socket gives in these chunks. */
function read(chunks: readonly Buffer[]) {
  const stream = new PassThrough()
  const passed: Buffer[] = []
  const listener = (chunk: Buffer) => passed.push(Buffer.from(chunk))
  stream.on('data', listener)
  const taken: Buffer[] = []
  let count = 0
  let wholeRows = 0
  new CopyFrames(stream, (bytes, whole, seen) => {
    const before = Buffer.concat(taken).length
    taken.push(bytes)
    count += seen
    if (whole > 0) wholeRows = before + whole
  })
  for (const chunk of chunks) stream.emit('data', Buffer.from(chunk))
  const text = Buffer.concat(taken).toString()
  return { text, count, wholeRows, passed: Buffer.concat(passed), isBack: stream.listeners('data')[0] === listener }
}

describe('the frames of a COPY', () => {
  test('give the rows together and every other message to the driver, wherever the socket cuts them', () => {
    const whole = Buffer.concat([answer, ready, behind])
    for (let first = 0; first <= whole.length; first++) {
      for (let second = first; second <= Math.min(whole.length, first + 12); second++) {
        const seen = read([whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)])

        assert.equal(seen.text, ROWS.join(''))
        assert.equal(seen.count, ROWS.length)
        assert.equal(seen.wholeRows, Buffer.byteLength(ROWS.join('')))
        assert.deepEqual(seen.passed, Buffer.concat([...OTHERS, ready, behind]))
        assert.ok(seen.isBack)
      }
    }
  })

  test('keep the socket until the server is ready', () => {
    const { isBack } = read([answer])

    assert.equal(isBack, false)
  })

  test('leave what comes behind to who has the socket then', () => {
    const stream = new PassThrough()
    const rowsOf: string[][] = [[], []]
    const start = (which: number) =>
      new CopyFrames(stream, (bytes) => (rowsOf[which] as string[]).push(bytes.toString()))
    stream.on('data', (chunk: Buffer) => {
      if (chunk.length === 1 && chunk.toString() === 'I' && rowsOf[1]?.length === 0) start(1)
    })
    start(0)

    stream.emit('data', Buffer.concat([message('d', 'one\n'), ready, message('d', 'two\n'), ready]))

    assert.deepEqual(rowsOf, [['one\n'], ['two\n']])
  })
})

describe('control characters of COPY text', () => {
  test('are written raw, and nothing else is touched', () => {
    const text = 'a\\bb\\f\\\\f\\\\\\v\\N\\t\tend\\b'

    const raw = rawControls(Buffer.from(text)).toString()

    assert.equal(raw, 'a\bb\f\\\\f\\\\\v\\N\\t\tend\b')
  })

  test('stay where they are when there are none', () => {
    const bytes = Buffer.from('1\t\\N\\\\b\n')

    assert.equal(rawControls(bytes), bytes)
  })
})
