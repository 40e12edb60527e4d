import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { stagingStoreContract } from '#test/contracts/staging-store.ts'

let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dray-staging-'))
})

after(async () => {
  await rm(folder, { recursive: true })
})

stagingStoreContract('FolderStagingStore', () => {
  const root = join(folder, 'contract')
  return {
    store: new FolderStagingStore(root),
    bytesOf: (key) => readFile(join(root, key)),
    replace: (key, bytes) => writeFile(join(root, key), bytes),
    drop: (key) => rm(join(root, key)),
    leftovers: async () => {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    },
  }
})

test('lets nobody but its user read what is staged', async () => {
  const root = join(folder, 'modes')
  const store = new FolderStagingStore(root)

  const { key } = await store.write('run/customers', { format: 'json' }, [{ bytes: Buffer.from('{}\n'), rows: 1 }])

  assert.equal((await stat(join(root, key))).mode & 0o777, 0o600)
  for (const path of ['', 'run', 'run/customers']) assert.equal((await stat(join(root, path))).mode & 0o777, 0o700)
})

test('says that an object is missing whose name no file can have, or a folder has', async () => {
  const root = join(folder, 'names')
  const store = new FolderStagingStore(root)
  const { key } = await store.write('run', { format: 'json' }, [{ bytes: Buffer.from('{}\n'), rows: 1 }])

  for (const other of ['x'.repeat(300), 'run', `${key}/more`]) {
    await assert.rejects(store.open(other), { name: 'StagedObjectMissing' })
  }
})

test('does not show what a killed writer left unfinished, and prunes it', async () => {
  const root = join(folder, 'killed')
  const store = new FolderStagingStore(root)
  await mkdir(join(root, 'run/customers'), { recursive: true })
  await writeFile(join(root, 'run/customers/.1234.partial'), 'half a row')

  const listed = await store.list('run')
  const removed = await store.prune(({ isPartial }) => !isPartial)

  assert.deepEqual(listed, [])
  assert.equal(removed, 1)
  assert.deepEqual(await readdir(root), [])
})

test('says where it could not write, as an error that a retry does not cure', async () => {
  const root = join(folder, 'not-a-folder')
  await writeFile(root, '')

  const writing = new FolderStagingStore(root).write('run', { format: 'json' }, [])

  await assert.rejects(writing, { name: 'Terminal', message: new RegExp(root) })
})

test('keeps no file open for an object that was opened and not read', async () => {
  const store = new FolderStagingStore(join(folder, 'handles'))
  const block = { bytes: Buffer.from('1\n'.repeat(500_000)), rows: 500_000 }
  const object = await store.write('run', { format: 'copy-text', columns: ['id'] }, [block])
  const opened = async () => (await readdir('/proc/self/fd')).length
  const before = await opened()

  for (let index = 0; index < 20; index++) await store.read(object)

  assert.ok((await opened()) <= before + 1)
})
