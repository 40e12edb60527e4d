import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  binary,
  boolean,
  date,
  decimal,
  integer,
  json,
  text,
  timestamp,
  uuid,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { RecordInvalidError, RecordNotFoundError, StaleRecordError } from 'dray/internal/active-record/record-errors.ts'
import { email } from 'dray/internal/active-record/validations.ts'
import { dateOf, decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { LONG_WAIT_MS } from 'dray/internal/database/long-wait.ts'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import fc from 'fast-check'
import { long } from '#test/long.ts'
import { committedBy, works } from './transaction-trees.ts'

function shopOf(shop: Database) {
  class Customer extends shop.table('customer', {
    id: bigint().primaryKey(),
    fullName: varchar(40).notBlank(),
    email: varchar(320).nullable().rule(email()),
    balance: decimal(38, 18).nullable(),
    born: date().nullable(),
    isActive: boolean().nullable(),
    updatedAt: timestamp().touch(),
    version: integer().lockVersion(),
  }) {
    get lines() {
      return this.hasMany(Line, 'customerId')
    }

    override validate(): void {
      if (this.fullName === 'nobody') this.errors.add('', 'nobody', 'nobody is no customer')
    }
  }
  class Line extends shop.table('order_line', {
    orderId: bigint().primaryKey(),
    lineNumber: integer().primaryKey(),
    note: text().nullable().column('order'),
    customerId: bigint().nullable(),
  }) {
    get customer() {
      return this.belongsTo(Customer, 'customerId')
    }
  }
  class Note extends shop.table('note', { id: bigint().primaryKey().generated(), body: text() }) {}
  return { Customer, Line, Note }
}

/** What every ActiveRecord model does, whatever the engine behind it. `open` gives the URL of an empty database. */
export function activeRecordContract(
  dialect: string,
  open: () => Promise<{ url: string; close(): Promise<void> }>,
  skip: string | undefined = undefined,
): void {
  describe(`ActiveRecord on ${dialect}`, { skip: skip ?? false }, () => {
    const shop = database(`contract-${dialect}`)
    const { Customer, Line, Note } = shopOf(shop)
    let service: Awaited<ReturnType<typeof open>>

    before(async () => {
      service = await open()
      process.env[urlVariable(shop.name)] = service.url
      for (const model of [Customer, Line, Note] as unknown as ModelClass[]) await model.createTable()
    })

    after(async () => {
      await shop.close()
      await service.close()
    })

    test('saves a new record, finds it again, and writes only what changed', async () => {
      const ada = new Customer({
        id: 9223372036854775807n,
        fullName: 'Ada',
        balance: decimalOf('-12345678901234567890.123456789012345678'),
      })
      assert.equal(ada.isNew, true)

      assert.equal(await ada.save(), true)

      assert.equal(ada.isNew, false)
      const found = await Customer.find(9223372036854775807n)
      assert.equal(found.fullName, 'Ada')
      assert.equal(found.balance, '-12345678901234567890.123456789012345678')
      assert.equal(found.email, null)
      assert.equal(found.version, 0)
      assert.match(found.updatedAt, /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d/)
      found.fullName = 'Ada Lovelace'
      found.balance = decimalOf('-12345678901234567890.123456789012345678')
      assert.deepEqual(found.changed, ['fullName'])
      assert.equal(found.was('fullName'), 'Ada')
      assert.equal(await found.save(), true)
      assert.deepEqual(found.changed, [])
      assert.equal((await ada.reload()).fullName, 'Ada Lovelace')
      assert.equal(ada.version, 1)
    })

    test('answers false with errors for a bad record, and leaves the transaction usable', async () => {
      const bad = new Customer({ id: 2n, fullName: ' ', email: 'no address' })
      const nobody = new Customer({ id: 3n, fullName: 'nobody' })

      await shop.transaction(async () => {
        assert.equal(await bad.save(), false)
        assert.equal(await nobody.save(), false)
        await Customer.create({ id: 4n, fullName: 'Grace' })
        const twin = await Customer.create({ id: 4n, fullName: 'Twin' })
        assert.equal(twin.isNew, true)
        assert.equal(twin.errors.isEmpty, false)
      })

      assert.deepEqual(
        [...bad.errors].map(({ field, code }) => [field, code]),
        [
          ['fullName', 'blank'],
          ['email', 'invalid_email'],
        ],
      )
      assert.deepEqual(
        [...nobody.errors].map(({ code }) => code),
        ['nobody'],
      )
      assert.equal((await Customer.find(4n)).fullName, 'Grace')
      await assert.rejects(Customer.createOrFail({ id: 5n, fullName: '' }), RecordInvalidError)
    })

    test('refuses to overwrite or delete a record that another has changed', async () => {
      await Customer.create({ id: 10n, fullName: 'First' })
      const mine = await Customer.find(10n)
      const theirs = await Customer.find(10n)
      await theirs.assign({ fullName: 'Theirs' }).saveOrFail()

      mine.fullName = 'Mine'

      await assert.rejects(mine.save(), StaleRecordError)
      await assert.rejects(mine.destroy(), StaleRecordError)
      assert.equal((await Customer.find(10n)).fullName, 'Theirs')
      await (await Customer.find(10n)).destroy()
      assert.equal(await Customer.findBy({ id: 10n }), null)
      await assert.rejects(Customer.find(10n), RecordNotFoundError)
    })

    test('numbers a generated key', async () => {
      const [first, second] = [await Note.createOrFail({ body: 'one' }), await Note.createOrFail({ body: 'two' })]

      assert.equal(second.id, first.id + 1n)
      assert.equal((await Note.find(second.id)).body, 'two')
    })

    test('refuses NULL for a generated key, and says to leave it out', async () => {
      const nothing = { id: null as never, body: 'without a number' }
      const [created, saved] = [await Note.create(nothing), await Note.create({ body: 'with a number' })]
      saved.id = null as never
      const { rejected } = await Note.insertAll([nothing])

      assert.equal(await saved.save(), false)
      for (const errors of [created.errors.toArray(), saved.errors.toArray(), rejected[0]?.errors ?? []]) {
        assert.deepEqual(
          errors.map(({ field, code }) => [field, code]),
          [['id', 'required']],
        )
        assert.match(errors[0]?.message ?? '', /^is null, and the database numbers this key.*leave it out/)
      }
      assert.equal(await Note.where({ body: 'without a number' }).count(), 0)
    })

    test('a generated key after rows with given ones is free, or the refusal says how to move the numbers', async () => {
      const Numbered = shop.table("numbered'1", { id: bigint().primaryKey().generated(), body: text() })
      await Numbered.createTable()
      await Numbered.insertAll([1n, 2n, 7n].map((id) => ({ id, body: 'given' })))

      const next = await Numbered.create({ body: 'next' })
      if (next.isNew) {
        const [said] = next.errors.toArray()
        assert.equal(said?.field, 'id')
        const remedy = /Move it: (select setval.*)$/.exec(said?.message ?? '')?.[1]
        assert.ok(remedy, said?.message)
        await shop.query(remedy)
      }
      const [one, two] = [await Numbered.createOrFail({ body: 'one' }), await Numbered.createOrFail({ body: 'two' })]

      assert.equal(next.isNew, dialect === 'postgres')
      assert.deepEqual([one.id, two.id], dialect === 'postgres' ? [8n, 9n] : [9n, 10n])
      const given = await Numbered.create({ id: 1n, body: 'twice' })
      assert.doesNotMatch(given.errors.toArray()[0]?.message ?? '', /Move it/)
    })

    test('createTable() refuses in words what the engine cannot hold, and nothing else', async () => {
      const plain = { id: bigint().primaryKey() }
      const tables: Record<string, { fields: Fields; said: Partial<Record<string, RegExp>> }> = {
        text: { fields: { id: text().primaryKey() }, said: { mysql: /key of id: .*longtext.*varchar\(n\)/ } },
        json: { fields: { id: json().primaryKey() }, said: { mysql: /varchar\(n\)/, postgres: /json.*text\(\)/ } },
        bytes: { fields: { id: binary().primaryKey() }, said: { mysql: /longblob; declare binary\(n\)/ } },
        bytes16: { fields: { id: binary(16).primaryKey() }, said: {} },
        bytes_fit: { fields: { id: binary(3072).primaryKey() }, said: {} },
        bytes_long: { fields: { id: binary(3073).primaryKey() }, said: { mysql: /3072 bytes.*3073/ } },
        bytes_longest: { fields: { ...plain, n: binary(65_533) }, said: { mysql: /declare it as binary\(\)/ } },
        fits: { fields: { id: varchar(768).primaryKey() }, said: {} },
        long: { fields: { id: varchar(769).primaryKey() }, said: { mysql: /3072 bytes.*3076/ } },
        pair: { fields: { a: varchar(732).primaryKey(), b: uuid().primaryKey() }, said: {} },
        pairs: { fields: { a: varchar(733).primaryKey(), b: uuid().primaryKey() }, said: { mysql: /key of a, b/ } },
        digits: { fields: { ...plain, n: decimal(65, 0) }, said: {} },
        wide: { fields: { ...plain, n: decimal(78, 0) }, said: { mysql: /field n: .*65 digits/ } },
        widest: { fields: { ...plain, n: decimal(1001, 0) }, said: { mysql: /65 digits/, postgres: /1000 digits/ } },
        small: { fields: { ...plain, n: decimal(2, 3) }, said: { mysql: /greater precision/ } },
        fine: { fields: { ...plain, n: decimal(65, 31) }, said: { mysql: /at most 30 digits behind/ } },
        texts: { fields: { ...plain, n: varchar(16_000) }, said: {} },
        longer: { fields: { ...plain, n: varchar(16_384) }, said: { mysql: /declare it as text/ } },
        longest: { fields: { ...plain, n: varchar(10_485_761) }, said: { mysql: /text/, postgres: /as text/ } },
      }
      for (const [name, { fields, said }] of Object.entries(tables)) {
        const Model = shop.table(`made_${name}`, fields)
        const expected = said[dialect]
        if (expected === undefined) await Model.createTable()
        else await assert.rejects(Model.createTable(), expected, name)
        assert.equal((await Model.checkSchema()).length, expected === undefined ? 0 : 1, name)
      }
    })

    test('a name that the engine would cut off or cannot have is refused, for tables and columns', async () => {
      const longest = { postgres: 'ä'.repeat(31), mysql: 'ä'.repeat(64), sqlite: 'ä'.repeat(500) }[dialect] ?? ''
      await shop.table(longest, { id: bigint().primaryKey() }).createTable()
      const bad = dialect === 'sqlite' ? ['a\0b', ''] : ['a\0b', '', `${longest}ä`]
      for (const name of bad) {
        await assert.rejects(
          async () => shop.table(name, { id: bigint().primaryKey() }).createTable(),
          ConfigurationError,
        )
        await assert.rejects(
          async () => shop.table('named', { id: bigint().primaryKey().column(name) }).createTable(),
          ConfigurationError,
        )
      }
    })

    test('a schema that is not there is said as such, not as a missing table', async () => {
      const Lost = shop.table('nowhere_at_all.note', { id: bigint().primaryKey() })

      const [said, ...others] = await Lost.checkSchema()

      assert.equal(said?.kind, 'missing_schema')
      assert.match(said?.message ?? '', /no schema "nowhere_at_all"/)
      assert.deepEqual(others, [])
      await assert.rejects(Lost.createTable(), /no schema "nowhere_at_all"/)
    })

    test('finds by conditions, in order, in part', async () => {
      await Line.insertAll([
        { orderId: 1n, lineNumber: 1, note: "it's" },
        { orderId: 1n, lineNumber: 2 },
        { orderId: 2n, lineNumber: 1, note: 'a?"b' },
      ])

      assert.equal(await Line.count(), 3)
      assert.equal(await Line.where({ orderId: 1n }).count(), 2)
      assert.deepEqual(
        (await Line.findAll({ conditions: { note: null } })).map(({ lineNumber }) => lineNumber),
        [2],
      )
      assert.deepEqual(
        (
          await Line.where({ note: ["it's", null] })
            .order({ lineNumber: 'desc' })
            .toArray()
        ).map(({ lineNumber }) => lineNumber),
        [2, 1],
      )
      assert.equal((await Line.where([`line_number = ? and order_id > ?`, 1, 1n]).first())?.note, 'a?"b')
      assert.equal((await Line.findByNote('a?"b'))?.orderId, 2n)
      assert.equal((await Line.find({ orderId: 2n, lineNumber: 1 })).note, 'a?"b')
      assert.deepEqual(
        (await Line.all().order('orderId', 'lineNumber').limit(1).offset(1).toArray()).map(
          ({ lineNumber }) => lineNumber,
        ),
        [2],
      )
      const [part] = await Line.all().select('note').order('orderId').toArray()
      assert.equal(part?.orderId, 1n)
      assert.equal(part?.note, "it's")
    })

    test('reads in batches by a composite key, and goes on from a cursor that went through JSON', async () => {
      await Line.deleteAll()
      await Line.insertAll(
        Array.from({ length: 25 }, (_, index) => ({ orderId: BigInt(Math.floor(index / 4)), lineNumber: index })),
      )
      const seen: number[] = []

      let cursor: readonly string[] = []
      for await (const batch of Line.all().inBatches({ of: 10 })) {
        seen.push(...batch.records.map(({ lineNumber }) => lineNumber))
        cursor = JSON.parse(JSON.stringify(batch.cursor))
        if (seen.length === 20) break
      }
      for await (const batch of Line.all().inBatches({ of: 10, after: cursor }))
        seen.push(...batch.records.map(({ lineNumber }) => lineNumber))

      assert.deepEqual(
        seen,
        Array.from({ length: 25 }, (_, index) => index),
      )
      let rows = 0
      for await (const line of Line.where(['line_number >= ?', 5])) rows += line.lineNumber >= 5 ? 1 : 0
      assert.equal(rows, 20)
      const last: number[] = []
      for await (const line of Line.all().order({ lineNumber: 'desc' }).limit(3)) last.push(line.lineNumber)
      assert.deepEqual(last, [24, 23, 22])
      await shop.transaction(async () => {
        for await (const line of Line.all().order('lineNumber').limit(2)) {
          assert.equal(
            (await Line.find({ orderId: line.orderId, lineNumber: line.lineNumber })).lineNumber,
            line.lineNumber,
          )
        }
      })
    })

    test('rolls back what a throw ends, and only the inner part of a nested transaction', async () => {
      await assert.rejects(
        shop.transaction(async () => {
          await Note.create({ body: 'gone' })
          throw new Error('enough')
        }),
        /enough/,
      )
      await shop.transaction(async () => {
        await Note.create({ body: 'outer' })
        await assert.rejects(
          shop.transaction(async () => {
            await Note.create({ body: 'inner' })
            throw new Error('inner')
          }),
        )
        await shop.transaction(() => Note.create({ body: 'second' }))
      })

      assert.equal(await Note.where({ body: ['gone', 'inner'] }).count(), 0)
      assert.equal(await Note.where({ body: ['outer', 'second'] }).count(), 2)
    })

    test('a record that was saved in what is rolled back is as it was before, and can be saved again', async () => {
      const made = Note.build({ body: 'rolled back' })
      const kept = await Customer.create({ id: 77n, fullName: 'Before' })
      const fail = async (): Promise<never> => {
        throw new Error('enough')
      }

      await assert.rejects(
        shop.transaction(async () => {
          await made.saveOrFail()
          await shop.transaction(async () => {
            kept.fullName = 'After'
            await kept.saveOrFail()
          })
          made.body = 'changed since'
          await fail()
        }),
        /enough/,
      )
      const states = [made.isNew, made.id, made.body, kept.changed, kept.version, kept.was('fullName')]
      await made.saveOrFail()
      await kept.saveOrFail()

      assert.deepEqual(states, [true, undefined, 'changed since', ['fullName'], 0, 'Before'])
      assert.equal((await Note.find(made.id as bigint)).body, 'changed since')
      assert.equal((await Customer.find(77n)).fullName, 'After')
    })

    test('a record shows its fields to a log and in JSON, those that were read alone', async () => {
      const note = await Note.create({ body: 'shown' })
      const [partly] = await Note.where({ id: note.id as bigint })
        .select('id')
        .toArray()
      const fresh = new Note({ body: 'new' })

      assert.equal(inspect(note), `Note { id: ${note.id}n, body: 'shown' }`)
      assert.equal(inspect({ notes: [partly] }), `{ notes: [ Note { id: ${note.id}n } ] }`)
      assert.equal(inspect(fresh), `Note { body: 'new' }`)
      assert.equal(JSON.stringify(note), `{"id":"${note.id}","body":"shown"}`)
    })

    test('a record is spread, listed, compared and cloned as any object is', async () => {
      const made = await Note.create({ body: 'like any object' })
      const id = made.id as bigint
      const read = await Note.find(id)
      const other = await Note.create({ body: 'another' })
      const [partly] = await Note.where({ id }).select('id').toArray()

      for (const record of [made, read]) {
        const { body, ...rest } = record
        assert.deepEqual(
          [{ ...record }, body, { ...rest }],
          [{ id, body: 'like any object' }, 'like any object', { id }],
        )
        assert.deepEqual(
          [Object.keys(record).toSorted(), structuredClone({ ...record })],
          [['body', 'id'], { id, body }],
        )
        assert.deepEqual(structuredClone(record), { id, body } as never)
      }
      assert.deepStrictEqual(made, read)
      assert.notDeepStrictEqual(other, read)
      assert.deepEqual({ ...partly }, { id })
      assert.throws(() => partly?.body, /not selected/)
    })

    test('a wrong value that is assigned to a loaded record makes save() false, and the row stays', async () => {
      await Customer.createOrFail({ id: 770n, fullName: 'Right', born: dateOf('1990-01-31') })
      const read = await Customer.find(770n)

      read.born = 'yesterday' as never

      assert.equal(await read.save(), false)
      assert.deepEqual(
        read.errors.toArray().map(({ field, code }) => `${field} ${code}`),
        ['born invalid_date'],
      )
      assert.equal((await Customer.find(770n)).born, '1990-01-31')
    })

    test('what is written into an own field is saved, as what is assigned to a new record is', async () => {
      await Customer.deleteAll()
      const made = new Customer({ id: 6n, fullName: 'Six' })
      made.email = 'six@example.com'
      assert.deepEqual({ ...made }, { id: 6n, fullName: 'Six', email: 'six@example.com' })
      await made.saveOrFail()
      const read = await Customer.find(6n)

      read.fullName = 'Six, again'
      read.balance = decimalOf('1.5')
      assert.deepEqual(
        [read.changed, read.was('fullName'), read.textOf('fullName')],
        [['fullName', 'balance'], 'Six', 'Six, again'],
      )
      read.balance = null
      Object.assign(read, { isActive: true })
      assert.deepEqual(read.changed, ['fullName', 'isActive'])
      assert.equal(await read.save(), true)
      assert.deepEqual(read.changed, [])
      await made.reload()
      assert.deepEqual({ ...made }, { ...(await Customer.find(6n)) })
      assert.deepEqual([made.fullName, made.isActive], ['Six, again', true])

      made.balance = 'no number' as never
      assert.equal(await made.save(), false)
      assert.deepEqual(
        made.errors.toArray().map(({ field, code }) => `${field} ${code}`),
        ['balance invalid_decimal'],
      )
    })

    test('a record that was destroyed is not saved again, unless that was rolled back', async () => {
      const note = await Note.create({ body: 'to be destroyed' })
      await shop
        .transaction(async () => {
          await note.destroy()
          throw new Error('not this time')
        })
        .catch(() => undefined)
      assert.equal(await note.save(), true)

      await note.destroy()

      await assert.rejects(note.save(), { code: 'StaleRecord', message: /was changed or deleted/ })
    })

    test('no row exists within a limit of none', async () => {
      await Note.create({ body: 'there' })

      assert.equal(await Note.where({ body: 'there' }).exists(), true)
      assert.equal(await Note.where({ body: 'there' }).limit(0).exists(), false)
    })

    test('a preload finds what load() finds: the database says which keys are equal', async () => {
      class Parent extends shop.table('folded_parent', { name: varchar(40).primaryKey() }) {
        get children() {
          return this.hasMany(Child, 'parentName')
        }
      }
      class Child extends shop.table('folded_child', { id: bigint().primaryKey(), parentName: varchar(40) }) {
        get parent() {
          return this.belongsTo(Parent, 'parentName')
        }
      }
      const folded: Record<string, string> = {
        postgres: 'citext',
        mysql: 'varchar(40) collate utf8mb4_general_ci',
        sqlite: 'text collate nocase',
      }
      if (dialect === 'postgres') await shop.query('create extension if not exists citext')
      await shop.query(`create table folded_parent (name ${folded[dialect]} primary key)`)
      await shop.query(`create table folded_child (id bigint primary key, parent_name ${folded[dialect]})`)
      const names = Array.from({ length: 600 }, (_, index) => `parent ${index}`)
      await Parent.insertAll(['ann', 'Bob', ...names].map((name) => ({ name })))
      await Child.insertAll(
        ['ANN', 'ann', 'bob', 'nobody', ...names].map((parentName, index) => ({ id: BigInt(index), parentName })),
      )

      const children = await Child.all().order('id').preload('parent').toArray()
      const parents = await Parent.all().preload('children').toArray()

      assert.deepEqual(
        children.slice(0, 4).map((child) => child.parent.value?.name ?? null),
        ['ann', 'ann', 'Bob', null],
      )
      assert.equal(children.filter((child) => child.parent.value !== null).length, 603)
      const byName = new Map(parents.map((parent) => [parent.name, parent.children.value.length]))
      assert.deepEqual([byName.get('ann'), byName.get('Bob'), byName.get('parent 599')], [2, 1, 1])
    })

    test('transactions at once inside a transaction take turns', async () => {
      const records = await shop.transaction(() =>
        Promise.all(['one at once', 'two at once', 'three at once'].map((body) => Note.create({ body }))),
      )

      assert.equal(records.length, 3)
      assert.equal(await Note.where(['body like ?', '% at once']).count(), 3)
    })

    const waiting: Readonly<
      Record<string, (late: () => Promise<unknown>, work: () => Promise<unknown>) => Promise<void>>
    > = {
      'A statement': (late, work) =>
        shop.transaction(async () => {
          const inside = shop.transaction(work)
          void late()
          await inside
        }),
      'A transaction inside a transaction': (late, work) =>
        shop.transaction(async () => {
          const inside = shop.transaction(work)
          void shop.transaction(late)
          await inside
        }),
    }
    for (const [what, begin] of Object.entries(waiting)) {
      test(`${what} that waits for another one inside which awaits it is warned of`, async (t) => {
        t.mock.timers.enable({ apis: ['setInterval'] })
        const warned = once(process, 'warning')
        const [asked, began, released] = [Promise.withResolvers(), Promise.withResolvers(), Promise.withResolvers()]
        const late = async () => {
          const writing = shop.sql`insert into note (body) values (${`late ${what}`})`
          asked.resolve(writing)
          await writing
        }
        const done = begin(late, async () => {
          began.resolve(null)
          await Promise.race([asked.promise, released.promise])
        })

        await began.promise
        t.mock.timers.tick(LONG_WAIT_MS)
        t.mock.timers.tick(LONG_WAIT_MS)
        const [{ message, code }] = await warned
        released.resolve(null)
        await done

        assert.equal(code, 'DRAY_LONG_WAIT')
        assert.match(
          message,
          new RegExp(`^${what}.* on database .*both wait for ever: do it inside of that one.*active-record`),
        )
        assert.equal(await Note.where({ body: `late ${what}` }).count(), 1)
      })
    }

    test('a new record that is saved twice at once is inserted once', async () => {
      for (let time = 0; time < 20; time++) {
        const note = new Note({ body: `saved twice ${time}` })
        const again = async () => {
          await delay(time % 4)
          note.body += ', changed'
          return note.save()
        }

        assert.deepEqual(await Promise.all([note.save(), again()]), [true, true], String(note.errors))
      }

      assert.equal(await Note.where(['body like ?', 'saved twice %']).count(), 20)
      assert.equal(await Note.where(['body like ?', 'saved twice %, changed']).count(), 20)
    })

    test('what is assigned while a save is under way, or a reload, is of the next save', async () => {
      for (let time = 0; time < 20; time++) {
        const id = BigInt(1_000 + time)
        const line = new Line({ orderId: id, lineNumber: 1, note: 'at first' })
        const inserting = line.save()
        await delay(time % 4)
        line.note = 'while inserted'
        assert.equal(await inserting, true, String(line.errors))
        assert.equal(line.note, 'while inserted')
        assert.equal(await line.save(), true)

        line.note = 'updated'
        const updating = line.save()
        await delay(time % 4)
        line.note = 'while inserted'
        assert.equal(await updating, true, String(line.errors))
        assert.equal(line.note, 'while inserted')
        assert.equal(await line.save(), true)
        assert.equal((await Line.findBy({ orderId: id }))?.note, 'while inserted')

        const reading = line.reload()
        line.note = 'while read'
        await reading
        assert.deepEqual([line.note, line.changed], ['while read', ['note']])
        await line.destroy()
      }
    })

    test('what is written beside a record that is refused stays', async () => {
      await Customer.deleteAll()
      const [refused] = await shop.transaction(() =>
        Promise.all([
          Customer.create({ id: 5n, fullName: 'x'.repeat(50) }),
          shop.sql`insert into note (body) values (${'beside a refused one'})`,
        ]),
      )

      assert.equal(refused.isNew, true)
      assert.equal(await Note.where({ body: 'beside a refused one' }).count(), 1)
    })

    test('work that outlives its transaction throws, whatever became of that', async () => {
      let late: Promise<unknown> = Promise.resolve()
      const { promise: over, resolve: end } = Promise.withResolvers<void>()
      const outlive = async (body: string) => {
        await over
        await Note.create({ body })
      }
      const late1 = await shop.transaction(async () => [outlive('late, committed')])
      const failed = shop.transaction(async () => {
        late = outlive('late, rolled back')
        throw new Error('enough')
      })

      await assert.rejects(failed, /enough/)
      end()
      await Promise.all([
        assert.rejects(late1[0] as Promise<void>, {
          name: 'Terminal',
          message: /was committed before.*await all work/,
        }),
        assert.rejects(late, { name: 'Terminal', message: /was rolled back before/ }),
      ])
      assert.equal(await Note.where(['body like ?', 'late, %']).count(), 0)
    })

    test('whatever transactions do, awaited or not, is committed where it was said to be, and nowhere else', async () => {
      class Strict extends shop.table('strict_note', { id: bigint().primaryKey().generated(), body: varchar(40) }) {}
      await Strict.createTable()
      await shop.sql`create unique index strict_body on strict_note (body)`
      await Strict.insertAll([{ body: 'refused' }])
      const writers = {
        create: async (body: string) => !(await Strict.create({ body })).isNew,
        insert: async (body: string) => (await Strict.insertAll([{ body }])).inserted === 1,
      }

      await fc.assert(
        fc.asyncProperty(fc.array(works, { minLength: 1, maxLength: 5 }), async (parts) => {
          await Strict.deleteAll(['body <> ?', 'refused'])
          const said = await committedBy(shop, parts, writers)
          const stored = (await Strict.where(['body <> ?', 'refused']).toArray()).map(({ body }) => body)
          assert.deepEqual(stored.toSorted(), said)
        }),
        { numRuns: long ? 2_000 : 100 },
      )
    })

    test('a condition takes no undefined, and no list without a placeholder; an order only its two directions', async () => {
      const hostile = { id: 'asc; drop table note' } as never
      await assert.rejects(
        async () => Note.where({ body: undefined } as never).deleteAll(),
        /body has the value undefined/,
      )
      await assert.rejects(async () => Note.where({ body: ['a', undefined] } as never).count(), /value undefined/)
      await assert.rejects(async () => Note.where(['body = ?', undefined]).count(), /value undefined/)
      await assert.rejects(async () => Note.where(['1 = 1']).deleteAll(), /"1 = 1" has no placeholder/)
      assert.throws(() => Note.all().order(hostile), { name: 'Configuration', message: /takes 'asc' or 'desc'/ })

      assert.ok((await Note.all().count()) > 0)
    })

    test('conditions and orders that say nothing, or something else than they seem to, are refused', async () => {
      class Filter {
        get body(): string {
          return 'nope'
        }
      }
      const before = await Note.all().count()
      const nothing = [
        undefined,
        null,
        new Filter(),
        new Map([['body', 'a']]),
        Object.create({ body: 'a' }),
        1,
        [],
        [{}],
      ]

      for (const one of nothing as never[]) {
        const refused = { name: 'Configuration', message: /conditions are an object of values/ }
        for (const ask of [
          async () => Note.where(one).deleteAll(),
          async () => Note.deleteAll(one),
          async () => Note.count(one),
          async () => Note.findBy(one),
          async () => Note.findAll({ conditions: one }),
        ])
          await assert.rejects(ask, refused)
      }
      await assert.rejects(async () => Note.deleteAll({}), /are empty, so every row would go/)
      for (const one of [{}, 1, null, new Map()] as never[]) {
        assert.throws(() => Note.all().order(one), { name: 'Configuration', message: /order\(\) takes names/ })
      }
      assert.equal(await Note.all().count(), before)
      assert.equal(await Note.where({}).count(), before)
    })

    test('many rows are a list of objects, or are refused with the place of what is none', async () => {
      for (const [rows, fault] of [
        [undefined, /takes a list of rows, and was given undefined/],
        [{}, /was given an object of Object/],
        [[{ body: 'a' }, null], /row 1 of the list is null/],
        [['a'], /row 0 of the list is a string/],
      ] as [never, RegExp][]) {
        await assert.rejects(async () => Note.upsertAll(rows), { name: 'Configuration', message: fault })
      }
    })

    test('a condition is one expression, whatever its text was put together from', async () => {
      for (const text of [
        'id = ?) or (1=1',
        '(id = ?',
        "body = ?' or 1",
        'id = ?; drop table note',
        'id = ? -- ',
        '/* */ id = ?',
      ])
        await assert.rejects(async () => Note.where([text, 9n]).count(), /is not one expression/, text)

      assert.equal(await Note.where(["(body = ? or body = ')(;--')", 'no such']).count(), 0)
    })

    test('SQL of your own is a template: what is called as a function was not written in the code', async () => {
      const called = shop.sql as unknown as (...given: unknown[]) => Promise<unknown>
      for (const strings of ['select 1', ['select 1'], JSON.parse('["select 1"]')]) {
        await assert.rejects(async () => called.call(shop, strings), {
          name: 'Configuration',
          message: /as a template/,
        })
      }
      assert.deepEqual((await shop.sql`select 1`).rows, [['1']])
    })

    test('no statement of a transaction ends it, or begins another one', async () => {
      for (const sql of ['commit', ' ROLLBACK', '/* now */ begin', 'savepoint one', '-- so\nend']) {
        const run = shop.transaction(async () => {
          await Note.create({ body: 'not to be kept' })
          await shop.query(sql)
        })
        await assert.rejects(run, { name: 'Configuration', message: /would end or begin a transaction/ }, sql)
      }
      assert.equal(await Note.where({ body: 'not to be kept' }).count(), 0)
    })

    test('a statement that fails is named by what fails after it', async () => {
      const failed = shop.transaction(async () => {
        await shop.sql`select * from no_such_table`.catch(() => {})
        await shop.sql`insert into note (body) values ('after a failure')`
      })

      if (dialect !== 'postgres') await failed
      else {
        await assert.rejects(failed, { name: 'Terminal', message: /no_such_table.*put the statement.*transaction\(\)/ })
      }
      const inside = shop.transaction(async () => {
        await shop.transaction(() => shop.sql`select * from no_such_table`).catch(() => {})
        await Note.create({ body: 'after a failure inside' })
      })
      await inside
      assert.equal(await Note.where({ body: 'after a failure inside' }).count(), 1)
    })

    test('what a newcomer gets wrong is refused in words', async () => {
      const many = Array.from({ length: 70_000 }, (_, index) => BigInt(index))
      const [one] = await Note.insertAll([{ body: 'one' }]).then(() => Note.all().limit(1).toArray())
      assert.ok(one)

      await assert.rejects(Note.find([1n, 2n] as never), { name: 'Configuration', message: /where\(\{ id: \[…\] \}\)/ })
      await assert.rejects(
        Note.all()
          .preload('bodies' as never)
          .toArray(),
        /Note.bodies is no association/,
      )
      await assert.rejects(new Note({ body: 'new' }).destroy(), /never saved cannot be deleted/)
      await assert.rejects(new Note({ body: 'new' }).reload(), /never saved cannot be read again/)
      if (dialect === 'mysql') assert.ok((await Note.where({ id: many }).count()) > 0)
      else await assert.rejects(Note.where({ id: many }).count(), /\d{5} values, of which .* ask for fewer at once/)
      assert.equal((await Line.upsertAll([{ orderId: 900n, lineNumber: 1 }])).inserted, 1)
    })

    test('a wrong value makes save() false, however a record was given it', async () => {
      const wrong = { born: new Date(0) as never, balance: 'much' as never, updatedAt: new Date(0) as never }
      const assigned = new Customer({ id: 801n, fullName: 'Assigned' })
      Object.assign(assigned, wrong)

      const made = await Customer.create({ id: 800n, fullName: 'Made', ...wrong })

      for (const record of [made, assigned]) {
        assert.equal(await record.save(), false)
        assert.match(record.errors.toArray()[0]?.code ?? '', /^invalid_(date|decimal|timestamp)$/)
      }
      assert.equal(await Customer.count({ id: [800n, 801n] }), 0)
      Object.assign(made, { born: dateOf('1970-01-01'), balance: null, updatedAt: timestampOf('1970-01-01 00:00:00') })
      assert.equal(await made.save(), true)
    })

    test('two transactions at once have a scope each', {
      skip: dialect === 'sqlite' && 'SQLite lets one write at a time',
    }, async () => {
      const work = (body: string) =>
        shop.transaction(async () => {
          await Note.create({ body })
          await new Promise((resolve) => setImmediate(resolve))
          assert.equal(await Note.where({ body: ['left', 'right'] }).count(), 1)
          if (body === 'left') throw new Error('left')
        })

      const outcomes = await Promise.allSettled([work('left'), work('right')])

      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['rejected', 'fulfilled'],
      )
      assert.equal(await Note.where({ body: ['left', 'right'] }).count(), 1)
    })

    test('upsertAll counts exactly, takes the last of a key, keeps rules, and isolates what the database refuses', async () => {
      await Customer.deleteAll()
      const at = timestampOf('2024-01-01 00:00:00')
      const first = await Customer.upsertAll(
        [
          { id: 1n, fullName: 'One', updatedAt: at },
          { id: 2n, fullName: 'Two', updatedAt: at },
          { id: 2n, fullName: 'Two again', updatedAt: at },
          { id: 3n, fullName: 'Three', email: 'broken', updatedAt: at },
          { id: 4n, fullName: 'Four', born: dateOf('2000-02-29'), isActive: true, updatedAt: at },
        ],
        { by: 'id' },
      )
      const second = await Customer.upsertAll(
        [
          { id: 1n, fullName: 'One', updatedAt: timestampOf('2025-01-01 00:00:00') },
          { id: 2n, fullName: 'Two, new', updatedAt: at },
          { id: 5n, fullName: 'Five', balance: decimalOf('1e30'), updatedAt: at },
        ],
        { by: 'id' },
      )

      assert.deepEqual(
        { ...first, rejected: first.rejected.map(({ row, errors }) => [row, errors[0]?.field]) },
        { inserted: 3, updated: 0, unchanged: 0, duplicate: 1, rejected: [[3, 'email']] },
      )
      assert.deepEqual([second.updated, second.unchanged], [1, 1])
      if (dialect !== 'sqlite')
        assert.deepEqual(
          second.rejected.map(({ row }) => row),
          [2],
        )
      assert.equal((await Customer.find(2n)).fullName, 'Two, new')
      assert.deepEqual([(await Customer.find(1n)).version, (await Customer.find(2n)).version], [0, 1])
      const four = await Customer.find(4n)
      assert.deepEqual([four.born, four.isActive, four.updatedAt], ['2000-02-29', true, '2024-01-01 00:00:00'])
    })

    test('insertAll reports a key that is there already and writes the others', async () => {
      await Line.deleteAll()
      await Line.create({ orderId: 1n, lineNumber: 1, note: 'kept' })

      const result = await Line.insertAll([
        { orderId: 1n, lineNumber: 1, note: 'new' },
        { orderId: 1n, lineNumber: 2 },
      ])

      assert.deepEqual([result.inserted, result.rejected.map(({ row }) => row)], [1, [0]])
      assert.equal((await Line.find({ orderId: 1n, lineNumber: 1 })).note, 'kept')
    })

    test('save refuses a value that its column would round or cut, and accepts it in another form', async () => {
      class Narrow extends shop.table('narrow_note', {
        id: bigint().primaryKey(),
        amount: decimal(38, 18).nullable(),
        name: text().nullable(),
      }) {}
      await shop.query('create table narrow_note (id bigint primary key, amount numeric(12,2), name varchar(5))')
      const rounded = decimalOf('1.234567890123456789')

      const refused = new Narrow({ id: 1n, amount: rounded, name: 'a' })
      const kept = await Narrow.create({ id: 2n, amount: decimalOf('1.500'), name: 'a' })
      const changed = await Narrow.find(2n)
      changed.amount = rounded

      await shop.transaction(async () => {
        assert.equal(await refused.save(), false)
        assert.equal(await changed.save(), false)
        await Narrow.create({ id: 3n, amount: decimalOf('-0.00'), name: null })
      })
      assert.deepEqual(
        [refused, changed].map(({ errors }) => errors.toArray().map(({ field, code }) => `${field} ${code}`)),
        [['amount not_kept'], ['amount not_kept']],
      )
      assert.deepEqual([refused.isNew, refused.amount, changed.amount], [true, rounded, rounded])
      assert.equal(kept.isNew, false)
      assert.deepEqual(
        (await Narrow.all().order('id').toArray()).map(({ id, amount }) => [id, Number(amount)]),
        [
          [2n, 1.5],
          [3n, 0],
        ],
      )
    })

    test('preloads associations in one query each, and refuses to run one a record unasked', async () => {
      await Customer.deleteAll()
      await Line.deleteAll()
      await Customer.upsertAll(
        [1n, 2n, 3n].map((id) => ({ id, fullName: `Customer ${id}` })),
        { by: 'id' },
      )
      await Line.insertAll(
        [1n, 1n, 2n, null, 9n].map((customerId, index) => ({ orderId: 1n, lineNumber: index, customerId })),
      )

      const lines = await Line.all().order('lineNumber').preload('customer').toArray()
      const customers = await Customer.all().order('id').preload('lines').toArray()

      assert.deepEqual(
        lines.map((line) => line.customer.value?.fullName ?? null),
        ['Customer 1', 'Customer 1', 'Customer 2', null, null],
      )
      assert.deepEqual(
        customers.map((customer) => customer.lines.value.length),
        [2, 1, 0],
      )
      const one = await Line.find({ orderId: 1n, lineNumber: 0 })
      assert.throws(() => one.customer.value, /preload/)
      assert.equal((await one.customer.load())?.id, 1n)
      assert.equal(one.customer.value?.id, 1n)
      const [first] = customers
      assert.equal(await first?.lines.relation.where({ lineNumber: 1 }).count(), 1)
    })

    test('names each difference between a model and its live table', async () => {
      const Missing = shop.table('nowhere', { id: bigint().primaryKey() })
      const Other = shop.table('note', { id: bigint().primaryKey(), title: text() })

      assert.deepEqual(await Customer.checkSchema(), [])
      assert.deepEqual(
        (await Missing.checkSchema()).map(({ kind }) => kind),
        ['missing_table'],
      )
      assert.deepEqual((await Other.checkSchema()).map(({ kind, column }) => `${kind} ${column}`).sort(), [
        'missing_column title',
        'unknown_required_column body',
      ])
      await assert.rejects(
        Missing.all().toArray(),
        (error: Error) => error instanceof TerminalError && /nowhere/.test(error.message),
      )
    })
  })
}
