import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Item } from 'dray/internal/state/attributes.ts'
import { takeFolderLock } from './folder-lock.ts'
import { makePrivateFile } from './private-files.ts'
import { STATE_TABLE_NAME } from './services-protocol.ts'

/*
 * Earlier versions kept the local state by dynalite, in `.dray/dynamodb`. It is copied once. Dynalite is a dependency
 * of what is shipped for this alone, and goes when no such state is expected any more.
 */

const POLL_MS = 20

/** Where dynalite kept it. */
export const earlierState = (home: string): string => join(home, 'dynamodb', 'data')

/** Copies all items into a new file, whole or not at all, and puts the folder aside. */
export async function copyEarlierState(home: string, file: string): Promise<void> {
  const held = join(home, 'state.lock')
  let lock = takeFolderLock(held)
  for (; lock === null; lock = takeFolderLock(held)) await delay(POLL_MS)
  try {
    if (existsSync(file)) return
    const folder = join(home, 'dynamodb')
    const count = await writeItems(await readItems(folder), file)
    const aside = `${folder}.before`
    renameSync(folder, aside)
    process.stderr.write(
      `The local state, ${count} items, was copied from ${folder} into ${file}. The old one is not used any more: rm -r ${aside}\n`,
    )
  } finally {
    lock.release()
  }
}

async function writeItems(items: readonly Item[], file: string): Promise<number> {
  const { SqliteItemTable } = await import('dray/internal/state/local/sqlite-item-table.ts')
  const copy = `${file}.copy`
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(copy + end, { force: true })
  makePrivateFile(copy)
  const table = new SqliteItemTable(copy)
  try {
    for (const item of items) {
      const outcome = await table.put(item, {})
      if (outcome.kind === 'unknown') throw outcome.error
    }
  } finally {
    // With the last connection SQLite puts everything into the one file.
    table.close()
  }
  renameSync(copy, file)
  return items.length
}

async function readItems(folder: string): Promise<readonly Item[]> {
  const { startDynamoDb } = await import('./dynamodb.ts')
  const { createStateClient } = await import('dray/internal/state/dynamodb-state-store.ts')
  const { ResourceNotFoundException } = await import('@aws-sdk/client-dynamodb')
  const { DynamoDBDocumentClient, paginateScan } = await import('@aws-sdk/lib-dynamodb')
  const server = await startDynamoDb({ folder })
  const client = createStateClient({ endpoint: server.endpoint, requestTimeout: 60_000 })
  try {
    const pages = paginateScan({ client: DynamoDBDocumentClient.from(client) }, { TableName: STATE_TABLE_NAME })
    const items: Item[] = []
    for await (const { Items = [] } of pages) items.push(...Items)
    return items
  } catch (error) {
    // Its table was never made.
    if (error instanceof ResourceNotFoundException) return []
    throw error
  } finally {
    client.destroy()
    await server.stop()
  }
}
