import type { Client } from 'pg'

/** What is done to a source between the runs of a tool. */
export interface Stage {
  readonly source: Client
  readonly target: Client
  /** The table in the target, as its tool calls it. */
  readonly table: string
  /** Lets what was written become older than any lag, and runs the tool; returns its exit code. */
  load(): Promise<number>
  /** Two runs at once. */
  loadTwice(): Promise<readonly number[]>
}

export interface Trial {
  readonly name: string
  /** Whether the tool is asked to delete what is gone, where it can be. */
  readonly deletes?: boolean
  act(stage: Stage): Promise<void>
  /** Which rows of the source are to be in the target; all of them where nothing is said. */
  readonly expected?: string
  /** Whether rows of the target that the last run has written again are counted, and nothing else compared. */
  readonly rewritten?: boolean
  /** A column whose values are looked for in the target. */
  readonly added?: string
}

const insert = (id: number, stamp: string, name = `row ${id}`) =>
  `insert into trial values (${id}, '${name}', ${id}.5, ${stamp})`

const ROWS = `insert into trial select i, 'row ' || i, i * 1.25, now() - interval '1 day' + i * interval '1 second' from generate_series(1, 50) i`

/** What PostgreSQL holds and a careless way loses: U&'\\0009' is a tab, 000A a line's end, 005C a backslash. */
const VALUES = `insert into trial values
  (9223372036854775807, 'large', 12345678901234567890.12345678901234567890, now() - interval '1 hour'),
  (2, U&'a\\0009b\\000Ac\\005Cd', 0.00000000000000000001, now() - interval '1 hour'),
  (3, 'NULL', -1, now() - interval '1 hour'), (4, U&'\\005CN', 1, now() - interval '1 hour'),
  (5, '', 1, now() - interval '1 hour'), (6, '😀 ''"', 1, now() - interval '1 hour'), (7, null, null, now() - interval '1 hour')`

export const trials: readonly Trial[] = [
  {
    name: 'large numbers, control characters, `NULL` as a text, the empty text, emoji',
    async act({ source, load }) {
      await source.query(VALUES)
      await load()
    },
  },
  {
    name: 'the same, where the column is `numeric` without a size',
    async act({ source, load }) {
      await source.query('alter table trial alter column amount type numeric')
      await source.query(VALUES)
      await load()
    },
  },
  {
    name: 'a transaction that began before a run commits after it; run again',
    async act({ source, load }) {
      await source.query(ROWS)
      const { Client } = await import('pg')
      const late = new Client({ connectionString: (source as Client & { url: string }).url })
      await late.connect()
      await late.query('begin')
      await late.query(insert(101, 'now()'))
      await source.query(insert(102, 'clock_timestamp()'))
      await load()
      await late.query('commit')
      await late.end()
      await source.query(insert(103, 'clock_timestamp()'))
      await load()
    },
  },
  {
    name: 'a row stamped 3 hours ahead, then an ordinary one; of the ordinary ones',
    expected: 'where updated_at < now()',
    async act({ source, load }) {
      await source.query(ROWS)
      await source.query(insert(101, "now() + interval '3 hours'"))
      await load()
      await source.query(insert(102, 'now()'))
      await load()
    },
  },
  {
    name: 'a row that comes with a stamp of an hour before the last run',
    async act({ source, load }) {
      await source.query(ROWS)
      await source.query(insert(101, 'now()'))
      await load()
      await source.query(insert(102, "now() - interval '1 hour'"))
      await load()
    },
  },
  {
    name: 'rows that are deleted at the source, by default',
    async act({ source, load }) {
      await source.query(ROWS)
      await load()
      await source.query('delete from trial where id in (7, 8)')
      await load()
    },
  },
  {
    name: 'the same, where the tool is asked to delete',
    deletes: true,
    async act({ source, load }) {
      await source.query(ROWS)
      await load()
      await source.query('delete from trial where id in (7, 8)')
      await load()
    },
  },
  {
    name: 'a key that changes, with deletes',
    deletes: true,
    async act({ source, load }) {
      await source.query(ROWS)
      await load()
      await source.query('update trial set id = 1007, updated_at = now() where id = 7')
      await load()
    },
  },
  {
    name: 'a row that the target refuses, beside a good one; of the good ones',
    expected: 'where amount >= 0',
    async act({ source, target, table, load }) {
      await source.query(ROWS)
      await load()
      await target.query(`alter table ${table} add check (amount >= 0)`)
      await source.query(insert(101, 'now()'))
      await source.query("insert into trial values (102, 'bad', -1, now())")
      await load()
    },
  },
  {
    name: 'a column that is renamed at the source; of the new values',
    async act({ source, load }) {
      await source.query(ROWS)
      await load()
      await source.query('alter table trial rename column name to label')
      await source.query("update trial set label = 'new', updated_at = now() where id = 7")
      await load()
      await source.query('alter table trial rename column label to name')
    },
  },
  {
    name: 'a column that is added at the source; of its values',
    added: 'colour',
    async act({ source, load }) {
      await source.query(ROWS)
      await load()
      await source.query('alter table trial add colour text')
      await source.query("update trial set colour = 'red', updated_at = now() where id = 7")
      await load()
    },
  },
  {
    name: 'two runs at once',
    async act({ source, loadTwice }) {
      await source.query(ROWS)
      await loadTwice()
    },
  },
  {
    name: 'run again, nothing new; rows that are written again',
    rewritten: true,
    async act({ source, load }) {
      await source.query(ROWS)
      await load()
    },
  },
]
