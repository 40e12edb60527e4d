import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Block, blocksOf, commandsOf, readPage, root } from './page.ts'
import { NOT_RUN } from './shown-commands.ts'

/*
 * Does what a page says, block by block, as a reader would who takes it word for word:
 *
 * - a block whose first line is a comment with a file's name is written as that file;
 * - a block of `sql` is done in the database that its first line names, a file of SQLite in the folder;
 * - a block of `sh` is done by a shell, whose last command ends as a comment says (`# exits with 1`), with 0 otherwise;
 *   one with a command of shown-commands.ts that no test runs is left out;
 * - a block of `text` behind one of these is what it has printed. `…` alone on a line stands for lines left out.
 *
 * With UPDATE_DOCS=1 what was printed is written into the page instead.
 */

/** A folder where pages are followed, with `npx` and `npm` that find what this repository has installed. */
export interface Desk {
  readonly folder: string
  remove(): Promise<void>
}

/** A shell's variables that are none of a reader's. */
const OURS = /_DATABASE_URL$|^FORCE_COLOR$|^NODE_TEST_CONTEXT$|^TEST_|^DRAY_/

/** `npm ci` is what takes minutes and a network; the rest of npm is npm's. */
const NPM = `#!/bin/sh
if [ "$1" = ci ]; then exec ln -sfn ${root}/node_modules node_modules; fi
PATH=\${PATH#*:} exec npm "$@"
`
const NPX = `#!/bin/sh
name=$1; shift
exec "${root}/node_modules/.bin/$name" "$@"
`

export async function desk(): Promise<Desk> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-page-'))
  await chmod(folder, 0o755)
  await mkdir(join(folder, '.bin'))
  for (const [name, script] of Object.entries({ npm: NPM, npx: NPX })) {
    await writeFile(join(folder, '.bin', name), script, { mode: 0o755 })
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

export class PageFollower {
  readonly #page: string
  readonly #blocks: readonly Block[]
  readonly #desk: Desk
  #folder: string
  #printed: string | null = null
  readonly #changed = new Map<Block, string>()
  readonly #written = new Set<string>()

  constructor(page: string, desk: Desk, folder: string) {
    this.#page = page
    this.#blocks = blocksOf(readPage(page))
    this.#desk = desk
    this.#folder = folder
  }

  get headings(): readonly string[] {
    return [...new Set(this.#blocks.map(({ heading }) => heading))]
  }

  /** Where the page has gone by `cd`. */
  get folder(): string {
    return this.#folder
  }

  async follow(heading: string): Promise<void> {
    for (const block of this.#blocks.filter((one) => one.heading === heading)) {
      const file = /^(?:\/\/|--|#) ((?:[\w.-]+\/)*[\w-]*\.\w+)\n/.exec(block.text)?.[1]
      if (file !== undefined) await this.#write(file, block.text)
      else if (block.kind === 'sql') this.#printed = this.#query(block)
      else if (block.kind === 'sh' && !isNotRun(block)) this.#printed = await this.#shell(block)
      else if (block.kind === 'text') this.#compare(block)
      // A window ends before the second of now.
      if (/\b(?:insert|update|delete)\b/i.test(block.text) && /^s/.test(block.kind)) await setTimeout(1_100)
    }
  }

  /** What the compiler says of the project, and the linter of files that the page has written; empty if all is well. */
  async fault(): Promise<string> {
    const said = (name: string, ...args: string[]) =>
      promisify(execFile)(join(root, 'node_modules/.bin', name), args, { cwd: this.#folder }).then(
        () => '',
        ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}${stderr}`,
      )
    return (await said('tsc')) + (await said('biome', 'check', '--error-on-warnings', ...this.#written))
  }

  /** Writes the page where it is to say what was printed. */
  async close(): Promise<void> {
    if (this.#changed.size === 0) return
    const lines = (await readFile(join(root, this.#page), 'utf8')).split('\n')
    for (const block of [...this.#changed.keys()].reverse()) {
      const count = block.text.split('\n').length - 1
      lines.splice(block.line - 1, count, ...(this.#changed.get(block) ?? '').trimEnd().split('\n'))
    }
    await writeFile(join(root, this.#page), `${lines.join('\n').trimEnd()}\n`)
  }

  async #write(file: string, content: string): Promise<void> {
    const path = join(this.#folder, file)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
    if (file.endsWith('.ts')) this.#written.add(file)
  }

  #query({ text: sql, line }: Block): string {
    const name = /^-- (\w+)\n/.exec(sql)?.[1]
    assert.ok(name, `${this.#page}:${line} does not say in which database`)
    const database = new DatabaseSync(join(this.#folder, `${name}.db`))
    try {
      if (!/^(?:--.*\n)*\s*(?:select|with)\b/i.test(sql)) {
        database.exec(sql)
        return ''
      }
      const statement = database.prepare(sql)
      const rows = statement.all().map((row) => Object.values(row).map((value) => value ?? 'NULL'))
      return [statement.columns().map((column) => column.name), ...rows].map((row) => row.join(' | ')).join('\n')
    } finally {
      database.close()
    }
  }

  async #shell({ text: script, line }: Block): Promise<string> {
    const kept = Object.entries(process.env).filter(([name]) => !OURS.test(name))
    const here = join(this.#desk.folder, '.here')
    const child = spawn('bash', ['-ec', `trap 'pwd >${here}' EXIT\n${script}`], {
      cwd: this.#folder,
      env: {
        ...Object.fromEntries(kept),
        HOME: this.#desk.folder,
        PATH: `${join(this.#desk.folder, '.bin')}:${process.env.PATH}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ])
    const expected = Number(/# exits with (\d+)/.exec(script)?.[1] ?? 0)
    assert.equal(code, expected, `${this.#page}:${line}\n${script}${stdout}${stderr}`)
    this.#folder = (await readFile(here, 'utf8')).trim()
    return (stdout.trim() === '' ? stderr : stdout).replaceAll(this.#desk.folder, '~')
  }

  #compare(block: Block): void {
    assert.ok(this.#printed !== null, `${this.#page}:${block.line} shows what nothing has printed`)
    const printed = this.#printed
      .trim()
      .split('\n')
      .map((line) => line.trimEnd())
    const shown = block.text.trim().split('\n')
    const gap = shown.indexOf('…')
    const [head, tail] = gap === -1 ? [shown.length, 0] : [gap, shown.length - gap - 1]
    const kept =
      gap === -1 ? printed : [...printed.slice(0, head), '…', ...printed.slice(Math.max(0, printed.length - tail))]
    const [is, said] = [kept, shown].map((lines) => lines.map(comparable)) as [string[], string[]]
    if (process.env.UPDATE_DOCS !== '1') {
      assert.deepEqual(is, said, `${this.#page}:${block.line} shows another output; UPDATE_DOCS=1 writes this one`)
    } else if (is.join('\n') !== said.join('\n')) this.#changed.set(block, `${kept.join('\n')}\n`)
  }
}

function isNotRun({ text: script }: Block): boolean {
  return commandsOf(script).some((command) => NOT_RUN.some((one) => one.command.test(command)))
}

/** Without what is another one each time: runs, times, seconds, and the blanks and rules that go with their width. */
function comparable(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\dt\d{6}-[a-z0-9]{7}/g, '<run>')
    .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:(?:\d\d(?:\.\d+)?Z?|…)/g, '<time>')
    .replaceAll(/\b\d+(?:\.\d+)? (?:s|ms|seconds)\b/g, '<seconds>')
    .replaceAll(/\(\d+\.\d+ms\)|duration_ms \d+\.\d+/g, '<seconds>')
    .replace(/\s\d+\.\d{1,2}\s+(?:[\d,]+|-)$/, ' <seconds> <rows/s>')
    .replaceAll(/\b[0-9a-f]{16}\b/g, '<id>')
    .replaceAll(/[─-]{2,}/g, '-')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
