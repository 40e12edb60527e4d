import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, binary, text, timestamp, uuid, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { DataQualityError } from 'dray/internal/errors.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract as extractStage } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline, runReference } from './harness.ts'

const source = database('target-keys-source')
const target = database('target-keys-target')

class Account extends source.table('account', { id: varchar(60).primaryKey(), label: text().nullable() }) {}
class Person extends source.table('person', {
  id: bigint().primaryKey(),
  email: text().nullable(),
  parent: bigint().nullable(),
}) {}
class ById extends target.table('by_id', { id: uuid().primaryKey(), label: text().nullable() }) {}
class ByName extends target.table('by_name', { id: varchar(60).primaryKey(), label: text().nullable() }) {}
class Held extends target.table('held', { id: bigint().primaryKey(), email: text().nullable() }) {}
class Letters extends target.table('i', { id: bigint().primaryKey(), email: text().nullable() }) {}
class Seat extends source.table('seat', {
  id: varchar(60).primaryKey(),
  owner: varchar(60).primaryKey(),
  label: text().nullable(),
}) {}
class SeatVersion extends target.table('seat_version', {
  id: uuid(),
  owner: varchar(60),
  label: text().nullable(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}
class Code extends source.table('code', { k: binary().primaryKey(), label: text().nullable() }) {}
class CodeHeld extends target.table('code_held', { k: binary().primaryKey(), label: text().nullable() }) {}
class CodeVersion extends target.table('code_version', {
  k: binary(),
  label: text().nullable(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}
class IdVersion extends target.table('id_version', {
  id: uuid(),
  label: text().nullable(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}
class NameVersion extends target.table('name_version', {
  id: varchar(60),
  label: text().nullable(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}
class User extends target.table('user_dim', {
  id: bigint().primaryKey(),
  email: text().nullable(),
  parent: bigint().nullable(),
}) {}

const takeOver = ({ id, label }: Account) => ({ id, label })
const extract = fullLoad(Account, { partitionRows: 90 })
const byId = pipeline('accounts', { extract, transform: takeOver, load: upsert(ById, { by: 'id' }), deletes: 'hard' })
const byName = pipeline('accounts', {
  extract,
  transform: takeOver,
  load: upsert(ByName, { by: 'id' }),
  deletes: 'hard',
})
const idVersions = pipeline('accounts', {
  extract,
  transform: takeOver,
  load: history(IdVersion, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
})
const codes = pipeline('codes', {
  extract: fullLoad(Code),
  transform: ({ k, label }) => ({ k, label }),
  load: history(CodeVersion, { by: 'k', validFrom: 'validFrom', validTo: 'validTo' }),
  deletes: 'close',
})
const seats = pipeline('seats', {
  extract: fullLoad(Seat),
  transform: ({ id, owner, label }) => ({ id, owner, label }),
  load: history(SeatVersion, { by: ['id', 'owner'], validFrom: 'validFrom', validTo: 'validTo' }),
  quarantine: { rows: 10, share: 1 },
})
const names = pipeline('names', {
  extract: fullLoad(Account),
  transform: takeOver,
  load: history(NameVersion, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
  deletes: 'close',
})
const person = ({ id, email, parent }: Person) => ({ id, email, parent })
const people = pipeline('people', {
  extract: fullLoad(Person, { partitionRows: 3 }),
  transform: person,
  load: upsert(User, { by: 'id' }),
  deletes: { hard: true, most: 1 },
})

/** MariaDB alone has it as a type. */
const MYSQL_UUID = isRealMysql ? 'char(36) collate utf8mb4_general_ci' : 'uuid'
const UUID = { postgres: 'uuid', mysql: MYSQL_UUID, sqlite: 'text collate nocase' }
const BYTES = { postgres: 'bytea', mysql: 'varbinary(20)', sqlite: 'blob' }
const MOMENT = { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'text' }
/** Text that is equal whatever its capitals. */
const NAME = { postgres: 'citext', mysql: 'varchar(60) collate utf8mb4_general_ci', sqlite: 'text collate nocase' }

/** Text that is not equal in other capitals. */
const EXACT = { postgres: 'varchar(60)', mysql: 'varchar(60) collate utf8mb4_bin', sqlite: 'text' }
const LOWERS = {
  postgres: (table: string) => [
    "create function lowered() returns trigger language plpgsql as 'begin new.id = lower(new.id); return new; end'",
    `create trigger lowers before insert on ${table} for each row execute function lowered()`,
  ],
  mysql: (table: string) => [`create trigger lowers before insert on ${table} for each row set new.id = lower(new.id)`],
  sqlite: (table: string) => [
    `create trigger lowers after insert on ${table} begin update ${table} set id = lower(id) where rowid = new.rowid; end`,
  ],
}

onEachEngine('the keys of a target', [source, target], (engine) => {
  // biome-ignore lint/suspicious/noExplicitAny: pipelines of several targets.
  const run = (of: Pipeline<any, any>, id: string) => runPipeline(of, id, engine.harness.services)
  // biome-ignore lint/suspicious/noExplicitAny: pipelines of several targets.
  const runOn = async (of: Pipeline<any, any>, id: string, day: string) => {
    const { services } = engine.harness
    const reference = { ...runReference(id), started_at: `${day}T02:00:00.000Z` }
    const work = { run: reference, pipeline: of.name }
    const planned = await plan(of, { ...work, mode: null }, services)
    const given = { ...work, plan: planned.plan, epoch: planned.epoch, planned_by: planned.planned_by }
    for (const { partition } of planned.partitions) {
      await load(of, await transform(of, await extractStage(of, { ...given, partition }, services), services), services)
    }
    await commit(of, given, services)
  }
  const define = (sql: string) => target.withConnection((connection) => connection.query(sql))
  const step = async (id: string) => (await engine.harness.services.state.run(id))?.steps[0]
  const kept = (of: string, id: string) => quarantined(engine.harness, id, of)

  beforeEach(async () => {
    await Account.createTable()
    await Person.createTable()
    if (engine.dialect === 'postgres') await define('create extension if not exists citext')
    await define(`create table by_id (id ${UUID[engine.dialect]} primary key, label text)`)
    await define(`create table by_name (id ${NAME[engine.dialect]} primary key, label text)`)
    await define(
      'create table user_dim (id bigint primary key, email varchar(60) unique, parent bigint references user_dim (id))',
    )
  })

  test('are those of the source in any spelling: none that the source has is deleted', async () => {
    const ids = Array.from({ length: 400 }, () => randomUUID() as string)
    const spelled = ids.map((id, index) => (index % 20 === 0 ? id.toUpperCase() : id))
    await Account.insertAll(spelled.map((id) => ({ id, label: 'a' })))

    await run(byId, 'run-1')
    const first = await ById.count()
    await Account.where({ id: spelled.slice(19, 22) }).deleteAll()
    await run(byId, 'run-2')

    assert.equal(first, 400)
    assert.equal((await step('run-1'))?.deleted, 0)
    assert.equal(await ById.count(), 397)
    assert.equal((await step('run-2'))?.deleted, 3)
  })

  test('follow the source when it spells one in another way', async () => {
    await Account.insertAll(['ann@example.com', 'bob@example.com'].map((id) => ({ id, label: 'a' })))
    await run(byName, 'run-1')
    await source.query("update account set id = 'Ann@example.com', label = 'b' where id = 'ann@example.com'")

    await run(byName, 'run-2')

    const rows = await ByName.all().order('id').toArray()
    assert.deepEqual(rows.map(({ id, label }) => [id, label]).sort(), [
      ['Ann@example.com', 'b'],
      ['bob@example.com', 'a'],
    ])
    assert.equal((await step('run-2'))?.deleted, 0)
    assert.deepEqual(await kept('accounts', 'run-2'), [])
  })

  test('follow the source, which spells more of them in another way than are asked for at once', async () => {
    const moment = MOMENT[engine.dialect]
    await define(
      `create table name_version (id ${NAME[engine.dialect]}, label text, valid_from ${moment}, valid_to ${moment}, primary key (id, valid_from))`,
    )
    const many = Array.from({ length: 510 }, (_, index) => ({ id: `a${index}`, label: 'a' }))
    await Account.insertAll(many)
    const whole = pipeline('whole', {
      extract: fullLoad(Account),
      transform: takeOver,
      load: upsert(ByName, { by: 'id' }),
    })
    await run(whole, 'run-1')
    await runOn(names, 'run-2', '2024-06-01')
    await source.query("update account set id = concat('A', substr(id, 2))")

    const renamed = await run(whole, 'run-3')
    await runOn(names, 'run-4', '2024-06-02')

    assert.deepEqual([renamed.updated, renamed.quarantined], [510, 0])
    assert.equal((await ByName.all().toArray()).filter(({ id }) => id.startsWith('A')).length, 510)
    const { unchanged } = (await step('run-4')) ?? {}
    assert.deepEqual([unchanged, await NameVersion.count()], [510, 510])
  })

  test('that the source spells in two ways are quarantined, and no row of them is deleted', async () => {
    await Account.insertAll(['bob@example.com', 'BOB@example.com', 'eve@example.com'].map((id) => ({ id, label: id })))

    await run(byName, 'run-1')

    assert.deepEqual(
      (await ByName.all().toArray()).map(({ id }) => id),
      ['eve@example.com'],
    )
    assert.deepEqual((await kept('accounts', 'run-1')).map(({ row }) => row.id).sort(), [
      'BOB@example.com',
      'bob@example.com',
    ])
  })

  for (const given of [byId, idVersions]) {
    test(`of two spellings that are one for the target overwrite none in silence, in whichever partitions: ${given.load.kind}`, async () => {
      const ids = ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']
      await define(
        `create table id_version (id ${UUID[engine.dialect]}, label text, valid_from ${MOMENT[engine.dialect]}, valid_to ${MOMENT[engine.dialect]}, primary key (id, valid_from))`,
      )
      await source.query('drop table account')
      await source.query(`create table account (id ${EXACT[engine.dialect]} primary key, label text)`)
      await Account.insertAll(ids.map((id) => ({ id, label: id })))
      const cut = {
        ...given,
        extract: fullLoad(Account, { partitionRows: 1 }),
        quarantine: { rows: 10, share: 1, retry: 0 },
      }

      const error = await run(cut, 'run-1').then(
        () => null,
        (thrown: Error) => thrown,
      )

      const { rows } = await define(`select label from ${given.load.target.definition.table}`)
      const all = [...rows.flat(), ...(await kept('accounts', 'run-1')).map(({ row }) => row.id)]
      if (error === null) assert.deepEqual([...new Set(all)].sort(), ids)
      else assert.match(error.message, /A0EEBC99-.* and a0eebc99-.* are one row of .*, and last_run stays where it is/i)
    })
  }

  test('that the source spells anew in two ways at once take the place of no other, in whichever partitions', async () => {
    const alone: typeof byName = { ...byName, extract: fullLoad(Account, { partitionRows: 1 }) }
    await Account.create({ id: 'bob@example.com', label: 'a' })
    await run(alone, 'run-1')
    await Account.all().deleteAll()
    await Account.insertAll(['Bob@example.com', 'BOB@example.com'].map((id) => ({ id, label: id })))

    await run(alone, 'run-2')

    assert.deepEqual(
      (await ByName.all().toArray()).map(({ id, label }) => [id, label]),
      [['bob@example.com', 'a']],
    )
    assert.deepEqual((await kept('accounts', 'run-2')).map(({ row }) => row.id).sort(), [
      'BOB@example.com',
      'Bob@example.com',
    ])
  })

  for (const model of [Held, Letters]) {
    test(`are held beside a table of any name: ${model.definition.table}`, async () => {
      await define(`create table ${model.definition.table} (id bigint primary key, email text)`)
      const loading = pipeline('people', {
        extract: fullLoad(Person),
        transform: ({ id, email }) => ({ id, email }),
        load: upsert(model as typeof Held, { by: 'id' }),
        deletes: { hard: true, most: 1 },
      })
      await Person.insertAll([1, 2, 3].map((id) => ({ id: BigInt(id) })))
      await run(loading, 'run-1')
      await Person.where({ id: 3n }).deleteAll()
      await Person.upsertAll([{ id: 2n, email: 'b@example.com' }], { by: 'id' })

      await run(loading, 'run-2')

      const { rows } = await define(`select id, email from ${model.definition.table} order by id`)
      assert.deepEqual(rows, [
        ['1', null],
        ['2', 'b@example.com'],
      ])
    })
  }

  test('of bytes are found again by a history, which begins no version where nothing has changed', async () => {
    const bytes = BYTES[engine.dialect]
    const moment = MOMENT[engine.dialect]
    await source.query(`create table code (k ${bytes} primary key, label text)`)
    await define(
      `create table code_version (k ${bytes}, label text, valid_from ${moment}, valid_to ${moment}, primary key (k, valid_from))`,
    )
    await Code.insertAll(['a', 'b', 'c'].map((text) => ({ k: Buffer.from(text), label: text })))

    await runOn(codes, 'run-1', '2024-06-01')
    await runOn(codes, 'run-2', '2024-06-02')

    assert.equal(await CodeVersion.count(), 3)
    const { inserted, unchanged, deleted } = (await step('run-2')) ?? {}
    assert.deepEqual({ inserted, unchanged, deleted }, { inserted: 0, unchanged: 3, deleted: 0 })
  })

  for (const partitionRows of [1, 2, 100]) {
    test(`of bits are read once, found again and deleted: ${partitionRows} rows a partition`, async (context) => {
      if (engine.dialect !== 'mysql') return context.skip('elsewhere a number of bits is text, or is not there')
      await source.query('create table code (k bit(64) primary key, label text)')
      await define('create table code_held (k bit(64) primary key, label text)')
      await define(
        'create table code_version (k bit(64), label text, valid_from datetime(6), valid_to datetime(6), primary key (k, valid_from))',
      )
      const bits = ['0', '1', '0x3031', '0x8000000000000000', '0xffffffffffffffff']
      await source.query(`insert into code values ${bits.map((k) => `(${k}, '${k}')`).join(', ')}`)
      const shape = {
        extract: fullLoad(Code, { partitionRows }),
        transform: ({ k, label }: Code) => ({ k, label }),
      }
      const held = pipeline('held-codes', {
        ...shape,
        load: upsert(CodeHeld, { by: 'k' }),
        deletes: { hard: true, most: 1 },
      })
      const versioned = pipeline('codes', {
        ...shape,
        load: history(CodeVersion, { by: 'k', validFrom: 'validFrom', validTo: 'validTo' }),
        deletes: { close: true, most: 1 },
      })

      const counts: unknown[] = []
      for (const day of [1, 2, 3]) {
        if (day === 3) await source.query('delete from code where k = 1')
        for (const loaded of [held, versioned]) {
          await runOn(loaded, `${loaded.name}-${day}`, `2024-06-0${day}`)
          const { read, inserted, unchanged, deleted } = (await step(`${loaded.name}-${day}`)) ?? {}
          counts.push([read, inserted, unchanged, deleted])
        }
      }

      const each = [
        [5, 5, 0, 0],
        [5, 0, 5, 0],
        [4, 0, 4, 1],
      ]
      assert.deepEqual(
        counts,
        each.flatMap((one) => [one, one]),
      )
    })
  }

  test('have one current version in a history, however the source spells them', async () => {
    const moment = MOMENT[engine.dialect]
    await define(
      `create table name_version (id ${NAME[engine.dialect]}, label text, valid_from ${moment}, valid_to ${moment}, primary key (id, valid_from))`,
    )
    await Account.insertAll(['ann', 'bob'].map((id) => ({ id, label: 'a' })))
    await runOn(names, 'run-1', '2024-06-01')
    await source.query("update account set id = 'Ann', label = 'b' where id = 'ann'")

    await runOn(names, 'run-2', '2024-06-02')
    await runOn(names, 'run-3', '2024-06-03')

    const current = await NameVersion.where({ validTo: null }).toArray()
    assert.deepEqual(current.map(({ id, label }) => [id, label]).sort(), [
      ['Ann', 'b'],
      ['bob', 'a'],
    ])
    assert.equal(await NameVersion.count(), 3)
  })

  for (const partitionRows of [1, 100]) {
    test(`take no turns in a history where the source has two spellings: ${partitionRows} rows a partition`, async () => {
      const moment = MOMENT[engine.dialect]
      const [exact, same] = [EXACT[engine.dialect], NAME[engine.dialect]]
      await source.query('drop table account')
      await source.query(`create table account (id ${exact} primary key, label text)`)
      await define(
        `create table name_version (id ${same}, label text, valid_from ${moment}, valid_to ${moment}, primary key (id, valid_from))`,
      )
      await source.query("insert into account values ('Ann', 'one'), ('ann', 'other'), ('bob', 'a')")
      const of = pipeline('names', {
        extract: fullLoad(Account, { partitionRows }),
        transform: takeOver,
        load: history(NameVersion, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
        deletes: { close: true, most: 1 },
        quarantine: { rows: 10, share: 1 },
      })

      const landed: unknown[] = []
      for (const day of [1, 2, 3]) {
        await runOn(of, `run-${day}`, `2024-06-0${day}`)
        const refused = await kept('names', `run-${day}`)
        assert.ok(refused.every(({ errors }) => errors[0]?.code === 'spelling'))
        const { rows } = await define('select id, label from name_version where valid_to is null')
        const all = [...rows, ...refused.map(({ row }) => [row.id, row.label])].map((row) => row.join(' ')).sort()
        landed.push({ all, versions: await NameVersion.count() })
      }

      const all = ['Ann one', 'ann other', 'bob a']
      const versions = partitionRows === 1 ? 2 : 1
      assert.deepEqual(
        landed,
        [1, 2, 3].map(() => ({ all, versions })),
      )
    })
  }

  test('that are one for the target alone are all quarantined by a history, beside those that the models take for one', async () => {
    const [moment, exact] = [MOMENT[engine.dialect], EXACT[engine.dialect]]
    await source.query(`create table seat (id ${exact}, owner ${exact}, label text, primary key (id, owner))`)
    await define(
      `create table seat_version (id ${UUID[engine.dialect]}, owner ${NAME[engine.dialect]}, label text, valid_from ${moment}, valid_to ${moment}, primary key (id, owner, valid_from))`,
    )
    const id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
    await source.query(
      `insert into seat values ('${id.toUpperCase()}', 'ann', 'one'), ('${id}', 'ann', 'two'), ('${id}', 'Ann', 'three'), ('${id}', 'bob', 'four')`,
    )

    await runOn(seats, 'run-1', '2024-06-01')

    assert.deepEqual((await define('select label from seat_version')).rows, [['four']])
    assert.deepEqual(
      (await kept('seats', 'run-1')).map(({ row, errors }) => `${row.label} ${errors[0]?.code}`).sort(),
      ['one spelling', 'three spelling', 'two spelling'],
    )
  })

  test('take no turns in a history where another spelling of one comes later, which the target writes alike', async () => {
    const moment = MOMENT[engine.dialect]
    await source.query('drop table account')
    await source.query(`create table account (id ${EXACT[engine.dialect]} primary key, label text)`)
    await define(
      `create table id_version (id ${UUID[engine.dialect]}, label text, valid_from ${moment}, valid_to ${moment}, primary key (id, valid_from))`,
    )
    const of = { ...idVersions, extract: fullLoad(Account), quarantine: { rows: 10, share: 1, retry: 0 } }
    await source.query("insert into account values ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'one')")
    await runOn(of, 'run-1', '2024-06-01')
    await source.query("insert into account values ('a0eebc999c0b4ef8bb6d6bb9bd380a11', 'other')")

    const landed: unknown[] = []
    for (const day of [2, 3]) {
      await runOn(of, `run-${day}`, `2024-06-0${day}`)
      const refused = (await kept('accounts', `run-${day}`)).map(({ row }) => row.label)
      const { rows } = await define('select label from id_version where valid_to is null')
      landed.push({ all: [...new Set([...rows.flat(), ...refused])].sort(), versions: await IdVersion.count() })
    }

    const isOne = engine.dialect === 'postgres' || (engine.dialect === 'mysql' && !isRealMysql)
    const each = { all: ['one', 'other'], versions: isOne ? 1 : 2 }
    assert.deepEqual(landed, [each, each])
  })

  for (const [of, table] of [
    [byName, 'by_name'],
    [names, 'name_version'],
  ] as const) {
    test(`are those that were loaded: a row whose key a trigger rewrites in ${table} is quarantined`, async () => {
      const [exact, moment] = [EXACT[engine.dialect], MOMENT[engine.dialect]]
      await define('drop table by_name')
      await define(`create table by_name (id ${exact} primary key, label text)`)
      await define(
        `create table name_version (id ${exact}, label text, valid_from ${moment}, valid_to ${moment}, primary key (id, valid_from))`,
      )
      for (const statement of LOWERS[engine.dialect](table)) await define(statement)
      await Account.insertAll(['ann', 'Bob'].map((id) => ({ id, label: 'a' })))

      await run(of, 'run-1')
      const kept = await quarantined(engine.harness, 'run-1', of.name)
      const { rows } = await define(`select id from ${table}`)
      await source.query("update account set id = 'bob' where id = 'Bob'")
      await run(of, 'run-2')

      assert.deepEqual(
        kept.map(({ row, errors }) => [row.id, errors[0]?.code]),
        [['Bob', 'dropped']],
      )
      assert.deepEqual(rows, [['ann']])
      assert.deepEqual((await define(`select id from ${table} order by id`)).rows, [['ann'], ['bob']])
    })
  }

  test('let a row in whose unique value is that of a row which is gone', async () => {
    await Person.insertAll([1, 2, 3].map((id) => ({ id: BigInt(id), email: `${id}@example.com` })))
    await run(people, 'run-1')
    await Person.where({ id: 3n }).deleteAll()
    await Person.create({ id: 9n, email: '3@example.com' })

    await run(people, 'run-2')

    const rows = await User.all().order('id').toArray()
    assert.deepEqual(
      rows.map(({ id }) => Number(id)),
      [1, 2, 9],
    )
    const { inserted, deleted, quarantined: set } = (await step('run-2')) ?? {}
    assert.deepEqual({ inserted, deleted, set }, { inserted: 1, deleted: 1, set: 0 })
    assert.deepEqual(await kept('people', 'run-2'), [])
  })

  test('swap their unique values, and take over what another one gives up, from one partition to another', async () => {
    const ids = [1, 2, 3, 4, 5, 6, 7, 8]
    await Person.insertAll(ids.map((id) => ({ id: BigInt(id), email: `${id}@example.com` })))
    await run(people, 'run-1')
    const swapped = new Map([
      [1, 8],
      [8, 1],
      [2, 5],
      [5, 7],
      [7, 9],
    ])
    await Person.all().deleteAll()
    await Person.insertAll(ids.map((id) => ({ id: BigInt(id), email: `${swapped.get(id) ?? id}@example.com` })))

    await run(people, 'run-2')

    const rows = await User.all().order('id').toArray()
    assert.deepEqual(
      rows.map(({ email }) => email),
      ids.map((id) => `${swapped.get(id) ?? id}@example.com`),
    )
    const { updated, unchanged, quarantined: set } = (await step('run-2')) ?? {}
    assert.deepEqual({ updated, unchanged, set }, { updated: 5, unchanged: 3, set: 0 })
    assert.deepEqual(await kept('people', 'run-2'), [])
  })

  test('may all be new at once, under the unique values of before', async () => {
    const of = (first: number) =>
      Array.from({ length: 60 }, (_, index) => ({ id: BigInt(first + index), email: `${index}@example.com` }))
    await Person.insertAll(of(1))
    await run(people, 'run-1')
    await Person.all().deleteAll()
    await Person.insertAll(of(1001))

    await run(people, 'run-2')

    const ids = (await User.all().order('id').toArray()).map(({ id }) => Number(id))
    assert.deepEqual([ids.length, ids[0]], [60, 1001])
    assert.equal((await step('run-2'))?.quarantined, 0)
  })

  test('let a row in whose parent comes in a later partition', async () => {
    await Person.insertAll([1, 2, 3, 4, 5, 6, 7].map((id) => ({ id: BigInt(id), parent: id === 7 ? null : 7n })))

    await run(people, 'run-1')

    assert.equal(await User.count(), 7)
    const { read, inserted, quarantined: set } = (await step('run-1')) ?? {}
    assert.deepEqual({ read, inserted, set }, { read: 7, inserted: 7, set: 0 })
  })

  test('are not deleted by a run that quarantines too many rows, which are kept', async () => {
    await Person.insertAll([1, 2, 3].map((id) => ({ id: BigInt(id) })))
    await run(people, 'run-1')
    await Person.where({ id: 3n }).deleteAll()
    await Person.insertAll(Array.from({ length: 20 }, (_, index) => ({ id: BigInt(100 + index), parent: 5000n })))

    await assert.rejects(run(people, 'run-2'), DataQualityError)

    assert.deepEqual(
      (await User.all().order('id').toArray()).map(({ id }) => Number(id)),
      [1, 2, 3],
    )
    assert.equal((await kept('people', 'run-2')).length, 20)
    assert.equal((await step('run-2'))?.status, 'failed')
  })
})
