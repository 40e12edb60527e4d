import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { Text } from 'dray/internal/block/block.ts'
import type { Bound, Connection, MergeResult, MergeTarget } from 'dray/internal/database/adapter.ts'
import { isRealMysql, MYSQL_NAME, mysqlUnavailable, othersSkipped } from '#test/services/mysql-server.ts'
import { openServer as openMysql } from './mysql/opened-server.ts'
import { openServer as openPostgres } from './postgres/opened-server.ts'
import { openFile } from './sqlite/opened-file.ts'

/** A value of a row, with what ends a quotation. */
const CANARY = `canary'" for column 'x' canary`
const LITERAL = `'${CANARY.replaceAll("'", "''")}'`
const SEEN = /canary|4711/i

interface Situation {
  readonly sql: string
  readonly parameters?: readonly Bound[]
  /** What is left says what to do. */
  readonly says: RegExp
  readonly isCopied?: true
}

interface Opened {
  readonly connection: Connection
  query(sql: string, parameters?: readonly Bound[]): Promise<readonly (readonly Text[])[]>
  merge(target: MergeTarget, rows: readonly (readonly Text[])[]): Promise<MergeResult>
  close(): Promise<void>
}

interface Engine {
  readonly skip: string | undefined
  readonly open: () => Promise<Opened>
  readonly setup: readonly string[]
  readonly situations: Readonly<Record<string, Situation>>
  /** A row of `things (id, name, number)` that is set aside, and the text that is kept of it. */
  readonly refused: { readonly row: readonly Text[]; readonly says: RegExp }
}

/** All that a log, a mail or an item could be given of an error. */
function printed(error: unknown): string {
  const texts = [inspect(error, { depth: 10, showHidden: true })]
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    texts.push(String(one), one.stack ?? '', JSON.stringify(one), JSON.stringify(Object.getOwnPropertyDescriptors(one)))
  }
  return texts.join('\n')
}

function onEngine(name: string, { skip, open, setup, situations, refused }: Engine): void {
  describe(`a value of a row on ${name}`, { skip: skip ?? false }, () => {
    let opened: Opened
    before(async () => {
      opened = await open()
      for (const sql of setup) await opened.query(sql)
    })
    after(() => opened.close())

    for (const [title, { sql, parameters = [], says, isCopied }] of Object.entries(situations)) {
      test(`is in nothing that is thrown: ${title}`, async () => {
        const run = async () => {
          if (isCopied !== true) return opened.query(sql, parameters)
          for await (const _ of opened.connection.copyOut(sql, parameters));
        }

        const error: unknown = await run().then(
          () => null,
          (thrown: unknown) => thrown,
        )

        assert.ok(error instanceof Error, 'the database takes it')
        assert.match(error.message, says)
        assert.doesNotMatch(printed(error), SEEN)
      })
    }

    test('is in the reason of a row that is set aside', async () => {
      const target = { table: 'things', columns: ['id', 'name', 'number'], key: ['id'] }

      const { rejected } = await opened.merge(target, [['50', 'good', '1'], refused.row])

      assert.deepEqual(
        rejected.map(({ row }) => row),
        [1],
      )
      assert.match(rejected[0]?.message ?? '', refused.says)
      assert.match(rejected[0]?.message ?? '', SEEN)
    })
  })
}

onEngine('PostgreSQL', {
  skip: othersSkipped,
  open: openPostgres,
  setup: [
    'create table things (id bigint primary key, name text unique, number integer check (number <> 13))',
    `create function guard() returns trigger language plpgsql as $$ begin
      if new.number = 7 then raise exception 'no % here', new.name; end if;
      if new.number = 8 then raise exception 'no % here', new.name using errcode = '40001'; end if;
      return new; end $$`,
    'create trigger guarded before insert on things for each row execute function guard()',
    `insert into things values (1, ${LITERAL}, 1)`,
    'create view numbers as select name::integer as number from things',
    'create domain short as text check (length(value) < 3)',
    'create table parts (id bigint) partition by list (id)',
    `create type mood as enum ('sad')`,
  ],
  situations: {
    'a key that is there': {
      sql: 'insert into things values (2, $1, 1)',
      parameters: [CANARY],
      says: /^duplicate key value violates unique constraint "things_name_key"$/,
    },
    'a null': {
      sql: 'insert into things values (null, $1, 1)',
      parameters: [CANARY],
      says: /null value in column "id" of relation "things"/,
    },
    'a check': {
      sql: 'insert into things values (4711, $1, 13)',
      parameters: ['canary'],
      says: /check constraint "things_number_check"/,
    },
    'a text that is no number': {
      sql: 'select cast($1::text as integer)',
      parameters: [CANARY],
      says: /^invalid input syntax for type integer: "…"$/,
    },
    'a bound value of another type': {
      sql: 'insert into things (id) values ($1)',
      parameters: [CANARY],
      says: /^invalid input syntax for type bigint: "…"$/,
    },
    'a number out of range': {
      sql: 'select $1::text::smallint',
      parameters: ['4711000'],
      says: /^value "…" is out of range for type smallint$/,
    },
    'a date': { sql: 'select $1::text::date', parameters: [`1999-99-99 ${CANARY}`], says: /type date: "…"$/ },
    'a document': { sql: 'select $1::text::json', parameters: [CANARY], says: /^invalid input syntax for type json$/ },
    'an enum': {
      sql: 'select $1::text::mood',
      parameters: [CANARY],
      says: /^invalid input value for enum mood: "…"$/,
    },
    'a domain': {
      sql: 'select $1::text::short',
      parameters: [CANARY],
      says: /domain short violates check constraint "short_check"$/,
    },
    'a row without a partition': {
      sql: 'insert into parts values ($1)',
      parameters: ['4711'],
      says: /^no partition of relation "parts" found for row$/,
    },
    'what a trigger raises': {
      sql: 'insert into things values (7, $1, 7)',
      parameters: [`${CANARY}7`],
      says: /^the function guard refused the row .* which the quarantine alone repeats; look at/,
    },
    'what a trigger raises under the code of a conflict': {
      sql: 'insert into things values (8, $1, 8)',
      parameters: [`${CANARY}8`],
      says: /the function guard refused the row/,
    },
    'a view that casts': { sql: 'select * from numbers', says: /for type integer: "…"$/ },
    'a view that casts, copied': { sql: 'select * from numbers', isCopied: true, says: /for type integer: "…"$/ },
    'a copied statement that is wrong': {
      sql: 'select * from $1',
      parameters: [CANARY],
      isCopied: true,
      says: /syntax error at or near "…" \(42601\)$/,
    },
  },
  refused: { row: ['51', 'x', 'canary'], says: /^invalid input syntax for type integer: "canary"$/ },
})

onEngine(MYSQL_NAME, {
  skip: mysqlUnavailable,
  open: openMysql,
  setup: [
    `create table things (id bigint primary key, name varchar(100) character set utf8mb4, number integer,
      unique key the_name (name), constraint not_13 check (number <> 13))`,
    `create trigger guard before insert on things for each row begin
      declare said text default concat('no ', new.name, ' here');
      if new.number = 7 then signal sqlstate '45000' set message_text = said; end if; end`,
    `insert into things values (1, ${LITERAL}, 1)`,
    'create table days (id bigint primary key, day date, document json, short varchar(3))',
    'create table parts (id bigint) partition by list (id) (partition one values in (1))',
  ],
  situations: {
    'a key that is there': {
      sql: 'insert into things values (2, ?, 1)',
      parameters: [CANARY],
      says: /^Duplicate entry "…" for key '(?:things\.)?the_name'$/,
    },
    'a primary key that is there': {
      sql: 'insert into things (id) values (4711), (4711)',
      says: /^Duplicate entry "…" for key '(?:things\.)?PRIMARY'$/,
    },
    'a null': {
      sql: 'insert into things values (null, ?, 1)',
      parameters: [`${CANARY}2`],
      says: /^Column 'id' cannot be null$/,
    },
    'a check': {
      sql: 'insert into things values (4711, ?, 13)',
      parameters: [`${CANARY}3`],
      says: /not_13/,
    },
    'a text that is no number': {
      sql: 'insert into things (id, number) values (3, ?)',
      parameters: [CANARY],
      says: /^Incorrect integer value: "…" for column .*number[`']$/,
    },
    'a date': {
      sql: 'insert into days (id, day) values (1, ?)',
      parameters: [CANARY],
      says: /^Incorrect date value: "…" for column .*day[`']$/,
    },
    'a document': { sql: 'insert into days (id, document) values (2, ?)', parameters: [CANARY], says: /document/ },
    'a long text': {
      sql: 'insert into days (id, short) values (3, ?)',
      parameters: [CANARY],
      says: /^Data too long for column 'short'/,
    },
    'a text longer than a message': {
      sql: 'insert into things (id, number) values (4, ?)',
      parameters: [`'${'canary '.repeat(200)}' for key 'x' canary`],
      says: /^Incorrect integer value: "…"/,
    },
    'a row without a partition': {
      sql: 'insert into parts values (?)',
      parameters: ['4711'],
      says: /^Table has no partition for value …$/,
    },
    'what a trigger signals': {
      sql: 'insert into things values (7, ?, 7)',
      parameters: ['canary'],
      says: /^a trigger or a routine of the database refused the row .* which the quarantine alone repeats; look at/,
    },
    'a sum out of range': { sql: 'select 4711 * 9223372036854775807', says: /^BIGINT value is out of range in "…"$/ },
    'a text in an update': {
      sql: 'update things set number = 2 where name = 4711',
      says: /^Truncated incorrect (?:DOUBLE|DECIMAL) value: "…"$/,
    },
    'a statement that is wrong': {
      sql: 'select * fro things where name = ?',
      parameters: [CANARY],
      says: /near '(?:fro )?things where name = …' \(MySQL error 1064\)$/,
    },
    'a literal where none may be': {
      sql: 'select * from ? where true',
      parameters: [CANARY],
      says: /near '…' \(MySQL error 1064\)$/,
    },
    'a function that does not exist': {
      sql: 'select missing(?)',
      parameters: [CANARY],
      says: /missing.* does not exist/i,
    },
  },
  refused: { row: ['51', 'x', 'canary'], says: /^Incorrect \w+ value: 'canary' for column/ },
})

if (!isRealMysql) {
  onEngine('SQLite', {
    skip: undefined,
    open: openFile,
    setup: [
      `create table things (id integer primary key, name text unique, number integer check (number <> 13)) strict`,
      `create trigger guard before insert on things when new.number = 7
        begin select raise(abort, 'no ' || new.name || ' here'); end`,
      `insert into things values (1, ${LITERAL}, 1)`,
      'create virtual table words using fts5(word)',
    ],
    situations: {
      'a key that is there': {
        sql: 'insert into things values (2, ?, 1)',
        parameters: [CANARY],
        says: /^UNIQUE constraint failed: things\.name$/,
      },
      'a check': {
        sql: 'insert into things values (4711, ?, 13)',
        parameters: ['canary'],
        says: /^CHECK constraint failed: number <> 13$/,
      },
      'a text that is no number': {
        sql: 'insert into things (id, number) values (3, ?)',
        parameters: [CANARY],
        says: /^cannot store TEXT value in INTEGER column things\.number$/,
      },
      'what a trigger raises': {
        sql: 'insert into things values (7, ?, 7)',
        parameters: ['canary'],
        says: /^a trigger refused the row .* which the quarantine alone repeats; look at/,
      },
      'a path of a document': { sql: 'select json_extract(?, ?)', parameters: ['{}', CANARY], says: /path.*"…"/ },
      'a search': { sql: 'select * from words where word match ?', parameters: [CANARY], says: /"…"/ },
      'a statement that is wrong': { sql: `select * fro things where name = 4711`, says: /near "fro": syntax error/ },
      'a literal where none may be': { sql: `select * from 'canary' 4711`, says: /near "…": syntax error/ },
    },
    refused: { row: ['51', 'canary', '7'], says: /^no canary here$/ },
  })
}
