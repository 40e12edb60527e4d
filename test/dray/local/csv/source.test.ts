import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { database } from 'dray/internal/active-record/database.ts'
import { createS3Client } from 'dray/internal/staging/s3-staging-store.ts'
import { importCsv } from 'dray-infra/internal/local/csv/import.ts'
import { type FauxqsServer, startFauxqs } from 'fauxqs'

const shop = database('shop-from-s3')

describe('a file in S3', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dray-csv-s3-'))
  const path = join(folder, 'shop.db')
  let server: FauxqsServer

  before(async () => {
    server = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
    server.createBucket('files')
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${server.port}`,
      AWS_REGION: 'eu-north-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      SHOP_FROM_S3_DATABASE_URL: `sqlite:${path}`,
    })
  })
  after(async () => {
    await shop.close()
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  async function put(Key: string, Body: string): Promise<void> {
    const client = createS3Client()
    await client.send(new PutObjectCommand({ Bucket: 'files', Key, Body }))
    client.destroy()
  }

  it('is imported as a stream, and known when it comes again', async () => {
    const rows = Array.from({ length: 100_000 }, (_, row) => `${row};name ${row}`)
    await put('a folder/rows.csv', `id;name\n${rows.join('\n')}\n`)
    const what = { file: 's3://files/a folder/rows.csv', database: shop, table: 'things' }

    const { read, bytes } = await importCsv(what)

    assert.equal(read, 100_000)
    assert.ok(bytes > 1_000_000)
    await assert.rejects(importCsv(what), /the same file was imported/)
    const opened = new DatabaseSync(path)
    const [found] = opened.prepare('select count(*) n, max(cast(id as integer)) id, min(name) name from things').all()
    opened.close()
    assert.deepEqual({ ...found }, { n: 100_000, id: 99_999, name: 'name 0' })
  })

  it('is said to be missing, with what to do', async () => {
    const importing = (file: string) => importCsv({ file, database: shop, table: 'none' })

    await assert.rejects(importing('s3://files/none.csv'), { name: 'Configuration', message: /There is no s3:.*path/ })
    await assert.rejects(importing('s3://nobody/none.csv'), { name: 'Configuration' })
    await assert.rejects(importing('ftp://files/none.csv'), {
      name: 'Configuration',
      message: /no place that is known/,
    })
  })
})
