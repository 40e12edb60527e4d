import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { styleText } from 'node:util'
import { inOneLine, shown } from 'dray-infra/internal/cli/output.ts'
import { folded } from 'dray-infra/internal/cli/text-width.ts'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import fc from 'fast-check'

const hostile = fc.string({
  unit: fc.constantFrom(
    ...'ab\n\t\r\u0007\u001b\u009b\u202e\u2066\u200b\u2028\u00ad',
    '\u001b[31m',
    '\u001b[2J',
    '\u001b]0;',
    ' ',
  ),
})
/** What a terminal does not show, or obeys; our own colours and ends of lines left out. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const COLOUR = new RegExp(`${'\u001b'}\\[(?:3[1-6]|39|90)m`, 'g')

describe('what the command prints', () => {
  test('has nothing in it that a terminal obeys, but colours and ends of lines, whatever values say', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        assert.doesNotMatch(shown(text).replace(COLOUR, '').replaceAll('\n', ''), OBEYED)
        assert.doesNotMatch(inOneLine(text).replace(COLOUR, ''), OBEYED)
      }),
    )
  })

  test('is what was to be printed, where nothing is obeyed', () => {
    const text = `${styleText('green', 'success', { validateStream: false })}  Größe 😀 ナ\n  second line\n`

    assert.equal(shown(text), text)
  })

  test('breaks between words on a terminal, and leaves commands, paths and tables whole', () => {
    const sentence =
      '  note: a row of /a/path/that/is/longer/than/a/line/has/room is left; `npx dray run orders --keys 1` has it'

    assert.equal(
      folded(`a  table\n${sentence}\n`, 40),
      [
        'a  table',
        '  note: a row of',
        '    /a/path/that/is/longer/than/a/line/has/room',
        '    is left;',
        '    `npx dray run orders --keys 1` has',
        '    it',
        '',
      ].join('\n'),
    )
  })

  test('loses no word and no colour where lines are broken', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '日', ' ', '`', '\u001b[31m', '\n') }),
        fc.nat(30),
        (text, width) => {
          const bare = (one: string) => one.replaceAll(/[ \n]/g, '')
          assert.equal(bare(folded(text, width)), bare(text))
        },
      ),
    )
  })

  test('goes through one writer in every verb', async () => {
    const direct: string[] = []
    for await (const file of glob('*.ts', { cwd: join(packageFolder, 'cli') })) {
      if (file === 'output.ts') continue
      const source = await readFile(join(packageFolder, 'cli', file), 'utf8')
      if (/\bstd(?:out|err)\.write\(|console\./.test(source)) direct.push(file)
    }

    assert.deepEqual(direct, [])
  })
})
