import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { changedSince } from 'dray/internal/pipeline/declare/extraction.ts'
import { history, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { isRealMysql } from '#test/services/mysql-server.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const source = database('later-spellings-source')
const target = database('later-spellings-target')

class Entry extends source.table('entry', {
  id: varchar(60).primaryKey(),
  label: text().nullable(),
  changedAt: timestamp(),
}) {}
class Held extends target.table('held', { id: varchar(60).primaryKey(), label: text().nullable() }) {}
class Version extends target.table('version', {
  id: varchar(60),
  label: text().nullable(),
  validFrom: timestamp(),
  validTo: timestamp().nullable(),
}) {}

const changed = {
  extract: changedSince(Entry, { cursor: 'changedAt', lag: '0s', zone: 'UTC' }),
  transform: ({ id, label }: Entry) => ({ id, label }),
  quarantine: { rows: 10, share: 1 },
}
const upserted = pipeline('entries', { ...changed, load: upsert(Held, { by: 'id' }) })
const versions = pipeline('entries', {
  ...changed,
  load: history(Version, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
})

const MOMENT = { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'text' }
const NOW = {
  postgres: "clock_timestamp() at time zone 'UTC'",
  mysql: 'utc_timestamp(6)',
  sqlite: "strftime('%Y-%m-%d %H:%M:%f', 'now')",
}
/** Text that is equal whatever its capitals, and text that is not. */
const NAME = { postgres: 'citext', mysql: 'varchar(60) collate utf8mb4_general_ci', sqlite: 'text collate nocase' }
const EXACT = {
  postgres: 'text',
  mysql: `varchar(60) collate ${isRealMysql ? 'utf8mb4_0900_bin' : 'utf8mb4_bin'}`,
  sqlite: 'text',
}
/** Until a row that was stamped just now has been read. */
const MOST_RUNS = 40

onEachEngine('a row that a later run reads alone', [source, target], (engine) => {
  for (const entries of [upserted, versions]) {
    test(`takes no place of one that the source still has in another spelling: ${entries.load.kind}`, async () => {
      const { dialect, harness } = engine
      const [moment, name] = [MOMENT[dialect], NAME[dialect]]
      await source.query(`create table entry (id ${EXACT[dialect]} primary key, label text, changed_at ${moment})`)
      if (dialect === 'postgres') await target.query('create extension if not exists citext')
      await target.query(`create table held (id ${name} primary key, label text)`)
      await target.query(
        `create table version (id ${name}, label text, valid_from ${moment}, valid_to ${moment}, primary key (id, valid_from))`,
      )
      await source.query("insert into entry values ('ann', 'one', '2024-01-01 00:00:00')")
      await runPipeline(entries, 'run-1', harness.services)
      await source.query(`insert into entry values ('Ann', 'other', ${NOW[dialect]})`)

      let refused: unknown[] = []
      for (let run = 2; refused.length === 0 && run < MOST_RUNS; run++) {
        await runPipeline(entries, `run-${run}`, harness.services)
        refused = (await quarantined(harness, `run-${run}`, entries.name)).map(({ row }) => row.label)
      }

      assert.deepEqual(refused, ['other'])
      const { rows } = await target.withConnection((connection) =>
        connection.query(`select id, label from ${entries.load.target.definition.table}`),
      )
      assert.deepEqual(rows, [['ann', 'one']])
    })
  }
})
