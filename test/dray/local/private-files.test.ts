import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, chown, lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { takeFolderLock } from 'dray-infra/internal/local/folder-lock.ts'
import { copyForOthers } from 'dray-infra/internal/local/postgres/binaries.ts'
import {
  isOwnFolder,
  makeExecutable,
  makePrivateFile,
  openPrivateFile,
} from 'dray-infra/internal/local/private-files.ts'

const NOBODY = 65_534
const notRoot = process.getuid?.() === 0 ? false : 'only root can give files to another user'
let folder: string
let count = 0

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dray-private-'))
})
after(() => rm(folder, { recursive: true, force: true }))

const newPath = () => join(folder, `${++count}`)
const modeOf = async (path: string) => (await lstat(path)).mode & 0o777

/** A file of somebody's, and a link to it that waits where a file is going to be opened. */
async function linkToPrecious(): Promise<{ precious: string; link: string }> {
  const [precious, link] = [newPath(), newPath()]
  await writeFile(precious, 'precious', { mode: 0o600 })
  await symlink(precious, link)
  return { precious, link }
}

describe('a file of one user alone', () => {
  test('is made with no right for others, and keeps what it holds', async () => {
    const path = newPath()

    makePrivateFile(path)
    await writeFile(path, 'kept')
    makePrivateFile(path)

    assert.equal(await modeOf(path), 0o600)
    assert.equal(await readFile(path, 'utf8'), 'kept')
  })

  test('is never opened, locked nor made executable through a link', async () => {
    const { precious, link } = await linkToPrecious()

    assert.throws(() => makePrivateFile(link), { name: 'Configuration', message: /is a link.*remove it/ })
    assert.throws(() => openPrivateFile(link), { code: 'ELOOP' })
    assert.throws(() => takeFolderLock(link), { name: 'Configuration' })
    await assert.rejects(makeExecutable(link), { code: 'ELOOP' })

    assert.equal(await readFile(precious, 'utf8'), 'precious')
    assert.equal(await modeOf(precious), 0o600)
  })
})

describe('a folder in a place that everybody writes to', () => {
  test('is ours when it is neither a link nor open to others', async () => {
    const [ours, open, link] = [newPath(), newPath(), newPath()]
    await mkdir(ours, { mode: 0o755 })
    await mkdir(open)
    await chmod(open, 0o777)
    await symlink(ours, link)

    assert.equal(await isOwnFolder(ours), true)
    assert.equal(await isOwnFolder(open), false)
    assert.equal(await isOwnFolder(link), false)
    assert.equal(await isOwnFolder(newPath()), false)
  })

  for (const kind of ['of another user', 'open to all', 'that is a link']) {
    test(`${kind} is not run from, nor touched, where the programs of PostgreSQL would be`, {
      skip: notRoot,
    }, async () => {
      const [native, place, elsewhere] = [newPath(), newPath(), newPath()]
      await mkdir(join(native, 'bin'), { recursive: true })
      await writeFile(join(native, 'bin', 'postgres'), 'ours')
      await mkdir(elsewhere)
      if (kind === 'that is a link') await symlink(elsewhere, place)
      else await mkdir(join(place, 'bin'), { recursive: true })
      if (kind === 'open to all') await chmod(place, 0o777)
      if (kind === 'of another user') await chown(place, NOBODY, NOBODY)
      if (kind !== 'that is a link') await writeFile(join(place, 'bin', 'postgres'), 'theirs', { mode: 0o600 })

      await assert.rejects(copyForOthers(native, place), {
        name: 'Configuration',
        message: /belongs to another user, or others can write to it.*rm -r/,
      })

      if (kind === 'that is a link') assert.deepEqual(await lstat(elsewhere).then(({ nlink }) => nlink), 2)
      else assert.equal(await modeOf(join(place, 'bin', 'postgres')), 0o600)
    })
  }

  test('holds a copy of the programs that everybody can run and only its owner can change', {
    skip: notRoot,
  }, async () => {
    const [native, place] = [newPath(), newPath()]
    await mkdir(join(native, 'bin'), { recursive: true })
    await writeFile(join(native, 'bin', 'postgres'), '#!/bin/sh\necho 18', { mode: 0o755 })

    const copies = await Promise.all([copyForOthers(native, place), copyForOthers(native, place)])

    assert.deepEqual(copies, [place, place])
    assert.equal((await stat(place)).mode & 0o777, 0o755)
    assert.equal(execFileSync(join(place, 'bin', 'postgres'), { encoding: 'utf8' }), '18\n')
  })
})
