import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Command } from 'commander'
import { createProgram } from 'dray-infra/internal/cli/main.ts'
import { blocksOf, commandsOf, isOwn, readPage, root, wordsOf } from './page.ts'
import { FOLLOWED, NOT_RUN, RUN_ELSEWHERE } from './shown-commands.ts'

const pages = [...(isOwn ? ['README.md'] : []), 'SECURITY.md', ...globSync('docs/*.md', { cwd: root }).sort()]
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }

/** What `dray runs` and its like do without a verb. */
const DEFAULT_VERB = 'list'

interface Shown {
  readonly page: string
  readonly command: string
}

/** What pages show in blocks of a shell. */
const shown: readonly Shown[] = pages.flatMap((page) =>
  blocksOf(readPage(page))
    .filter(({ kind, text }) => kind === 'sh' && !/^# [\w/-]*\.\w+\n/.test(text))
    .flatMap(({ text }) => commandsOf(text).map((command) => ({ page, command }))),
)

/** What pages say of the command within sentences and tables, and in blocks without a kind. */
const said: readonly Shown[] = pages.flatMap((page) => {
  const text = readPage(page)
  const blocks = blocksOf(text)
    .filter(({ kind }) => kind === '')
    .flatMap((block) => commandsOf(block.text))
  const inline = [...text.matchAll(/`((?:npx )?dray [^`]+)`/g)].map(([, command = '']) =>
    command.replaceAll('\\|', '|'),
  )
  return (
    [...blocks, ...inline]
      .filter((command) => /^(?:npx )?dray [a-z][^─]*$/.test(command))
      // A sentence may name an option alone, without what it is given.
      .map((command) => command.replace(/ --env$/, ''))
      .flatMap(alternatives)
      .map((command) => ({ page, command }))
  )
})

/** `runs show|stop <run>` is two commands. */
function alternatives(command: string): string[] {
  const choice = /(?<= )[a-z-]+(?:\|[a-z-]+)+(?= |$)/.exec(command)?.[0]
  if (choice === undefined) return [command]
  return choice.split('|').flatMap((one) => alternatives(command.replace(choice, one)))
}

/** What is wrong with the words behind `dray`; null where its own parser takes them. */
function faultOf(words: readonly string[]): string | null {
  let command: Command = createProgram({ exitCode: 0, envFile: null })
  let rest = words.map((word) => word.replaceAll(/[[\]…]/g, '')).filter((word) => word !== '')
  while (command.commands.length > 0) {
    const named = command.commands.find((one) => one.name() === rest[0])
    const isOption = rest[0]?.startsWith('-') ?? true
    const next = named ?? (isOption ? command.commands.find((one) => one.name() === DEFAULT_VERB) : undefined)
    if (next === undefined) return isOption ? null : `${command.name()} has no verb ${rest[0]}`
    command = next
    if (named !== undefined) rest = rest.slice(1)
  }
  const { operands, unknown } = command.parseOptions(rest)
  const options = unknown.filter((word) => word.startsWith('-') && word !== '--help' && word !== '--debug')
  if (options.length > 0) return `${command.name()} has no option ${options.join(', ')}`
  const isVariadic = command.registeredArguments.some(({ variadic }) => variadic)
  const isTooMany = !isVariadic && operands.length > command.registeredArguments.length
  return isTooMany ? `${command.name()} takes no ${operands.join(' ')}` : null
}

function faults(commands: readonly Shown[]): string[] {
  return commands.flatMap(({ page, command }) => {
    const words = wordsOf(command)
    const from = words.indexOf('dray')
    const fault = from === -1 ? null : faultOf(words.slice(from + 1))
    return fault === null ? [] : [`${page}: ${command}: ${fault}`]
  })
}

describe('a command that pages show', () => {
  test('is one that the parser of dray takes, with its options', () => {
    assert.ok(shown.length > 150)
    assert.deepEqual(faults(shown), [])
  })

  test('is so within a sentence, too', () => {
    assert.ok(said.length > 150)
    assert.deepEqual(faults(said), [])
  })

  test('is refused where it has another verb, another option or too many arguments', () => {
    assert.equal(faultOf(['quarantine', 'mend', 'orders']), 'quarantine has no verb mend')
    assert.equal(faultOf(['walk']), 'dray has no verb walk')
    assert.equal(faultOf(['run', 'orders', '--fast']), 'run has no option --fast')
    assert.equal(faultOf(['plan', 'orders', 'customers']), 'plan takes no orders customers')
  })

  test('is a script that package.json has, or names files that are there', () => {
    const missing = shown.flatMap(({ page, command }) => {
      const [, script] = /\bnpm run (?:--silent )?([\w:-]+)/.exec(command) ?? []
      const files = wordsOf(command).filter((word) => /^(?:test|\.ci)\/.*\.ts$/.test(word))
      const isThere = (file: string) =>
        file.includes('*') ? globSync(file, { cwd: root }).length > 0 : existsSync(join(root, file))
      return (script === undefined || script in scripts) && files.every(isThere) ? [] : [`${page}: ${command}`]
    })

    assert.deepEqual(missing, [])
  })

  test('is run by a test, or stands in a list with the reason why not', () => {
    const known = [...NOT_RUN, ...RUN_ELSEWHERE]
    const others = shown.filter(({ page }) => !(page in FOLLOWED))

    assert.deepEqual(
      others.filter(({ command }) => !known.some((one) => one.command.test(command))),
      [],
    )
    assert.deepEqual(isOwn ? known.filter((one) => !shown.some(({ command }) => one.command.test(command))) : [], [])
    for (const [page, file] of Object.entries(FOLLOWED))
      assert.ok(readFileSync(join(root, file), 'utf8').includes(page))
  })
})
