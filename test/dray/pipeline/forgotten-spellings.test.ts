import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { database } from 'dray/internal/active-record/database.ts'
import { decimal, text, timestamp, uuid, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const source = database('forgotten-spellings-source')
const target = database('forgotten-spellings-target')

class Entry extends source.table('entry', {
  id: varchar(60).primaryKey(),
  label: text().nullable(),
  changedAt: timestamp(),
}) {}

const version = { label: text().nullable(), validFrom: timestamp(), validTo: timestamp().nullable() }
/** Models of one table, whose key is of another type for each of them. */
const MODELS = {
  uuid: {
    Held: class extends target.table('held', { id: uuid().primaryKey(), label: text().nullable() }) {},
    Version: class extends target.table('version', { id: uuid(), ...version }) {},
  },
  decimal: {
    Held: class extends target.table('held', { id: decimal(10, 2).primaryKey(), label: text().nullable() }) {},
    Version: class extends target.table('version', { id: decimal(10, 2), ...version }) {},
  },
  text: {
    Held: class extends target.table('held', { id: varchar(5).primaryKey(), label: text().nullable() }) {},
    Version: class extends target.table('version', { id: varchar(5), ...version }) {},
  },
}

interface ForgetfulType {
  readonly model: keyof typeof MODELS
  readonly type: string
  /** Three spellings of one key; the target writes the first one. */
  readonly spellings: readonly [string, string, string]
}

const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
const UUIDS = {
  model: 'uuid',
  type: 'uuid',
  spellings: [UUID, UUID.toUpperCase(), UUID.replaceAll('-', '')],
} as const
const DECIMALS = { model: 'decimal', type: 'decimal(10,2)', spellings: ['1.50', '1.5', '01.5'] } as const
const PADDED = { model: 'text', type: 'char(5)', spellings: ['b', 'b ', 'b   '] } as const

/** MySQL's char and enum keep the spelling, too: they refuse what they would change. */
const TYPES: Readonly<Record<Dialect, readonly ForgetfulType[]>> = {
  postgres: [UUIDS, DECIMALS, PADDED],
  mysql: isRealMysql ? [DECIMALS] : [UUIDS, DECIMALS],
  sqlite: [{ ...DECIMALS, spellings: ['1.5', '1.50', '01.5'] }],
}

const MOMENT = { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'text' }
const NOW = {
  postgres: "clock_timestamp() at time zone 'UTC'",
  mysql: 'utc_timestamp(6)',
  sqlite: "strftime('%Y-%m-%d %H:%M:%f', 'now')",
}
const EXACT = { postgres: 'text', mysql: 'varchar(60) character set utf8mb4', sqlite: 'text' }
/** Until a row that was stamped just now has been read. */
const MOST_RUNS = 40

function pipelinesOf({ model }: ForgetfulType) {
  const { Held, Version } = MODELS[model]
  const extract = changedSince(Entry, { cursor: 'changedAt', lag: '0s', zone: 'UTC' })
  const transform = ({ id, label }: Entry) => ({ id, label }) as never
  const quarantine = { rows: 10, share: 1 }
  const load = upsert(Held as typeof MODELS.text.Held, { by: 'id' })
  return {
    upserted: pipeline('entries', { extract, transform, quarantine, load }),
    versions: pipeline('entries', {
      extract,
      transform,
      quarantine,
      load: history(Version as typeof MODELS.text.Version, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
    }),
    whole: pipeline('entries', { extract: fullLoad(Entry, { partitionRows: 1 }), transform, quarantine, load }),
  }
}

onEachEngine('a key of which the target does not keep the spelling', [source, target], (engine) => {
  const { dialect } = engine
  const [moment, now] = [MOMENT[dialect], NOW[dialect]]
  const exact =
    dialect === 'mysql'
      ? `${EXACT.mysql} collate ${isRealMysql ? 'utf8mb4_0900_bin' : 'utf8mb4_nopad_bin'}`
      : EXACT[dialect]

  async function makeTables({ type }: ForgetfulType) {
    await source.query(`create table entry (id ${exact} primary key, label text, changed_at ${moment})`)
    await target.query(`create table held (id ${type} primary key, label text)`)
    await target.query(
      `create table version (id ${type}, label text, valid_from ${moment}, valid_to ${moment}, primary key (id, valid_from))`,
    )
  }

  const insert = (id: string, label: string, changedAt = now) =>
    source.query(`insert into entry values ('${id}', '${label}', ${changedAt})`)
  const labels = async (table: string) => {
    const isCurrent = table === 'version' ? ' where valid_to is null' : ''
    const { rows } = await target.withConnection((connection) =>
      connection.query(`select label from ${table}${isCurrent} order by label`),
    )
    return rows.flat()
  }
  let runs = 0
  /** Runs it until rows that are stamped now have been read; gives the labels of those that are in the quarantine. */
  async function runUntil(one: Parameters<typeof runPipeline>[0], isRead: (refused: unknown[]) => Promise<boolean>) {
    for (let tries = 0; tries < MOST_RUNS; tries++) {
      runs += 1
      await runPipeline(one, `run-${runs}`, engine.harness.services)
      const refused = (await quarantined(engine.harness, `run-${runs}`, one.name)).map(({ row }) => row.label)
      if (await isRead(refused)) return refused
      await delay(100)
    }
    return assert.fail('the row was not read')
  }

  for (const one of TYPES[dialect]) {
    const [stored, other, third] = one.spellings
    const both = [
      [stored, other],
      [other, stored],
      [other, third],
    ] as const
    for (const kind of ['upserted', 'versions'] as const) {
      const entries = pipelinesOf(one)[kind]
      const { table } = entries.load.target.definition
      for (const [first, second] of kind === 'upserted' ? both : both.slice(2)) {
        const [name, known] = [JSON.stringify(second), JSON.stringify(first)]
        test(`${one.type}, ${kind}: ${name}, read alone, does not take the place of ${known}, which the source has`, async () => {
          await makeTables(one)
          await insert(first, 'one', "'2024-01-01 00:00:00'")
          await runUntil(entries, async () => (await labels(table)).length === 1)
          await insert(second, 'other')
          const refused = await runUntil(entries, async (found) => found.length > 0)
          assert.deepEqual(refused, ['other'])
          assert.deepEqual(await labels(table), ['one'])
        })
      }

      test(`${one.type}, ${kind}: a key that the source rewrites is the row that is there`, async () => {
        await makeTables(one)
        await insert(stored, 'one', "'2024-01-01 00:00:00'")
        await runUntil(entries, async () => (await labels(table)).length === 1)
        for (const [id, label] of [
          [other, 'two'],
          [third, 'three'],
          [stored, 'four'],
        ] as const) {
          await source.query(`update entry set id = '${id}', label = '${label}', changed_at = ${now}`)
          const refused = await runUntil(entries, async () => (await labels(table)).join() === label)
          assert.deepEqual(refused, [])
        }
      })
    }

    test(`${one.type}: of two spellings in two partitions of a full load one is there, the other in the quarantine`, async () => {
      const { whole } = pipelinesOf(one)
      await makeTables(one)
      await insert(other, 'one')
      await insert(third, 'other')
      const refused = await runUntil(whole, async (found) => found.length > 0)
      assert.deepEqual([...refused, ...(await labels('held'))].sort(), ['one', 'other'])
      const again = await runUntil(whole, async (found) => found.length > 0)
      assert.deepEqual([...again, ...(await labels('held'))].sort(), ['one', 'other'])
    })
  }
})
