import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, binary, boolean } from 'dray/internal/active-record/field-kinds.ts'
import { onEachEngine } from '#test/pipeline/engines.ts'

const shop = database('bytes-shop')

class Device extends shop.table('device', {
  id: binary(16).primaryKey(),
  firmware: binary().nullable(),
  isOn: boolean().nullable(),
}) {}

const ID = Buffer.from('00ff0a5c6127ff0a5c6100ff0a5c6100', 'hex')
const bytes = (hex: string) => Buffer.from(hex, 'hex')

onEachEngine('bytes of records', [shop], ({ dialect }) => {
  test('bytes are written, found, compared and changed as bytes, a key of 16 among them', async () => {
    await Device.createTable()

    await Device.createOrFail({ id: ID, firmware: bytes('00ff') })
    const found = await Device.find(ID)
    found.firmware = bytes('01')
    await found.saveOrFail()
    const written = await Device.upsertAll([{ id: ID, firmware: bytes('02') }, { id: bytes('31') }], { by: 'id' })

    const hex = { postgres: "encode(id, 'hex')", mysql: 'lower(hex(id))', sqlite: 'lower(hex(id))' }[dialect]
    const length = dialect === 'sqlite' ? 'length(id)' : 'octet_length(id)'
    const { rows } = await shop.query(`select ${hex}, ${length} from device order by 2`)
    assert.deepEqual(rows, [
      ['31', '1'],
      [ID.toString('hex'), '16'],
    ])
    assert.deepEqual([written.inserted, written.updated], [1, 1])
    assert.equal(await Device.where({ firmware: bytes('02') }).count(), 1)
    assert.equal(await Device.where({ id: [ID, bytes('31')] }).count(), 2)
    const keys: string[] = []
    for await (const batch of Device.all().inBatches({ of: 1 }))
      keys.push(...batch.records.map(({ id }) => Buffer.from(id).toString('hex')))
    assert.deepEqual(keys, [ID.toString('hex'), '31'])
    await (await Device.find(ID)).destroy()
    assert.equal(await Device.count(), 1)
  })

  test('more bytes than the field has are refused before they are written', async () => {
    await Device.createTable()

    const long = await Device.create({ id: Buffer.alloc(17) })

    assert.deepEqual(
      long.errors.toArray().map(({ field, code, message }) => [field, code, message]),
      [['id', 'too_long', 'must have at most 16 bytes']],
    )
  })

  test('a BINARY(n) takes no shorter value, which it would fill up', { skip: dialect !== 'mysql' }, async () => {
    await shop.query('create table device (id binary(16) primary key, firmware longblob, is_on tinyint(1))')

    const short = await Device.create({ id: bytes('01') })
    const many = await Device.upsertAll([{ id: bytes('02') }, { id: ID }], { by: 'id' })

    assert.equal(short.isNew, true)
    assert.deepEqual([many.inserted, many.rejected.map(({ row }) => row)], [1, [0]])
    assert.equal(await Device.count(), 1)
  })

  test('a column that would store the text of bytes is refused', { skip: dialect !== 'sqlite' }, async () => {
    await shop.query('create table loose (id integer primary key, untyped, words text, right blob)')
    const fields = { id: bigint().primaryKey(), untyped: binary(), words: binary(), right: binary() }

    const written = await shop.table('loose', fields).checkSchema()
    const read = await shop.source('loose', fields).checkSchema()

    assert.deepEqual(
      written.map(({ column, message }) => `${column}: ${/so bytes.*?BLOB/.exec(message)?.[0]}`),
      ['untyped', 'words'].map((name) => `${name}: so bytes would be stored as their hexadecimal text; make it a BLOB`),
    )
    assert.deepEqual(read, [])
  })

  test('a BIT(1) is a boolean, for records and in bulk', { skip: dialect !== 'mysql' }, async () => {
    await shop.query('create table device (id varbinary(16) primary key, firmware longblob, is_on bit(1))')

    await Device.createOrFail({ id: bytes('01'), isOn: true })
    await Device.insertAll([
      { id: bytes('02'), isOn: false },
      { id: bytes('03'), isOn: true },
    ])
    const two = await Device.find(bytes('02'))
    two.isOn = true
    await two.saveOrFail()

    assert.equal(await Device.where({ isOn: true }).count(), 3)
    assert.deepEqual((await shop.query('select sum(is_on + 0) from device')).rows, [['3']])
  })
})
