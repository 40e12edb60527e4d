import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { fixtureFolder } from '#test/fixture-project.ts'

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0
const command = join(packageFolder, 'cli/dray.ts')
const notLinux = process.platform === 'linux' ? false : 'find and setpriv are those of Linux'
const notRoot = isRoot ? false : 'only root can run as another user, or be another user than one'

/** Everybody sees into it. */
let place: string
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'dray-left-'))
  chmodSync(place, 0o755)
  for (const folder of ['user', 'temporary']) mkdirSync(join(place, folder))
})
afterEach(() => rmSync(place, { recursive: true, force: true }))

/** The command in a shell that forbids itself nothing, as whoever runs the tests or as `nobody`. */
function run(isNobody = false) {
  const { NODE_COMPILE_CACHE: _, ...environment } = process.env
  const user = isNobody ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []
  const words = [...user, process.execPath, command, 'run', '--demo', '--progress', 'log']
  return spawnSync('sh', ['-c', 'umask 0; exec "$@"', 'sh', ...words], {
    cwd: fixtureFolder,
    env: {
      ...Object.fromEntries(Object.entries(environment).filter(([name]) => !name.endsWith('_DATABASE_URL'))),
      HOME: join(place, 'user'),
      TMPDIR: join(place, 'temporary'),
      DRAY_HOME: join(place, 'dray'),
    },
    encoding: 'utf8',
  })
}

/** What others may read, write or list, but for what is in a folder that is closed to them. */
function openToOthers(folder: string): string[] {
  const closed = ['-type', 'd', '!', '-perm', '/077', '-prune']
  const found = execFileSync('find', [folder, '-mindepth', '1', ...closed, '-o', '-perm', '/077', '-print'], {
    encoding: 'utf8',
  })
  return found.split('\n').filter((line) => line !== '')
}

/** Of the files that hold rows, logs, passwords or addresses each is closed itself. */
function notClosed(folder: string): string[] {
  const kept = ['staging', 'logs', 'runs', 'shop.db', 'services.lock', 'state.db', 'postgres/password']
  const roots = kept.map((name) => join(folder, name))
  const found = execFileSync(
    'find',
    [...roots, '(', '-type', 'f', '!', '-perm', '600', ')', '-o', '(', '-type', 'd', '!', '-perm', '700', ')'],
    { encoding: 'utf8' },
  )
  return found.split('\n').filter((line) => line !== '')
}

function assertPrivate(home: string, { status, stderr }: ReturnType<typeof run>): void {
  const before = ['dray', 'temporary', 'user']
  assert.equal(status, 0, stderr)
  assert.deepEqual([openToOthers(home), notClosed(home)], [[], []])
  assert.deepEqual(readdirSync(place).sort(), before)
  assert.deepEqual([readdirSync(join(place, 'user')), readdirSync(join(place, 'temporary'))], [[], []])
}

describe('what a run leaves in a folder that others see', { skip: notLinux }, () => {
  test('is closed to them', () => {
    const home = join(place, 'dray')

    const ended = run()

    assertPrivate(home, ended)
    // The account that PostgreSQL runs as passes, and lists nothing.
    assert.equal(lstatSync(home).mode & 0o777, isRoot ? 0o711 : 0o700)
  })

  test('is closed to them where another user than root runs it', { skip: notRoot }, (context) => {
    const reach = spawnSync('setpriv', [
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      process.execPath,
      '--check',
      command,
    ])
    if (reach.status !== 0) return context.skip('no other user can read this folder, or there is no setpriv')
    for (const folder of ['', 'user', 'temporary']) chownSync(join(place, folder), NOBODY, NOBODY)

    const ended = run(true)

    assertPrivate(join(place, 'dray'), ended)
    assert.equal(lstatSync(join(place, 'dray')).mode & 0o777, 0o700)
  })
})

describe('a folder that somebody else has prepared', () => {
  /** Every name that a run makes or opens in its folder. */
  const NAMES = [
    ...['services.json', 'services.lock', 'shop.db', 'state.db', 'dynamodb', 'postgres', 'logs', 'runs', 'staging'],
    ...['services.json.1', 'shop.db-wal', 'till.db'],
  ]

  for (const [what, prepare] of [
    ['is of another user', (home: string) => chownSync(home, NOBODY, NOBODY)],
    ['everybody writes to', (home: string) => chmodSync(home, 0o1777)],
  ] as const) {
    test(`and that ${what} is refused, and no link in it is followed`, { skip: notRoot }, () => {
      const [home, precious] = [join(place, 'dray'), join(place, 'precious')]
      writeFileSync(precious, 'precious', { mode: 0o600 })
      mkdirSync(home)
      for (const name of NAMES) symlinkSync(precious, join(home, name))
      prepare(home)

      const { status, stderr } = run()

      assert.equal(status, 2, stderr)
      assert.match(
        stderr,
        /belongs to another user, or everybody can write to it, so nothing in it was read or written/,
      )
      assert.equal(readFileSync(precious, 'utf8'), 'precious')
      assert.deepEqual(readdirSync(home).sort(), NAMES.toSorted())
    })
  }

  test('is refused behind a link that is of another user', { skip: notRoot }, () => {
    mkdirSync(join(place, 'elsewhere'))
    symlinkSync(join(place, 'elsewhere'), join(place, 'dray'))
    execFileSync('chown', ['-h', String(NOBODY), join(place, 'dray')])

    const { status, stderr } = run()

    assert.equal(status, 2, stderr)
    assert.deepEqual(readdirSync(join(place, 'elsewhere')), [])
  })

  test('has no link followed in the place of a database of SQLite, whoever has put it there', () => {
    const [home, precious] = [join(place, 'dray'), join(place, 'precious')]
    writeFileSync(precious, '', { mode: 0o600 })
    mkdirSync(home)
    symlinkSync(precious, join(home, 'shop.db'))

    const { status, stderr } = run()

    assert.equal(status, 2, stderr)
    assert.match(stderr, /shop\.db is a link, so it was not opened/)
    assert.equal(readFileSync(precious, 'utf8'), '')
  })
})
