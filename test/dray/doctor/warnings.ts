import { MYSQL_NAME } from '#test/services/mysql-server.ts'
import { edited, type Fault, pipelineFile } from './fault.ts'
import { altered, asUser, dst, latin, onHostile, source, src, target } from './servers.ts'

const cursorTable = (rows: string) => src(altered(source('postgres'), rows))

export const warned: readonly Fault[] = [
  {
    name: 'open transactions that a role of PostgreSQL does not see',
    urls: async () => src(asUser(await source('postgres'), 'grant select on orders to %u')),
    line: /database src: open transactions: .* does not see the open transactions of other roles/,
    remedy: /grant pg_read_all_stats to/,
  },
  {
    name: `open transactions that a user of ${MYSQL_NAME} does not see`,
    urls: async () => src(asUser(await source('mysql'), 'grant select on $.* to %u')),
    line: /database src: open transactions: .* does not see open transactions of src/,
    remedy: /grant process on \*\.\*/,
  },
  {
    name: 'a server that takes no files',
    urls: () => dst(onHostile('target')),
    line: /database dst: LOAD DATA: .* refuses LOAD DATA LOCAL INFILE, so rows are loaded by INSERT/,
    remedy: /set global local_infile = 1/,
  },
  {
    name: 'a server of short packets',
    urls: () => dst(onHostile('target')),
    line: /database dst: packet: max_allowed_packet of dst is 1\.0 MiB/,
    remedy: /set global max_allowed_packet/,
  },
  {
    name: 'a target that is not in UTF-8',
    urls: async () => dst(latin()),
    line: /database dst: encoding: dst is encoded in LATIN1/,
    remedy: /encoding 'UTF8'/,
  },
  {
    name: 'a clock that is an hour ahead',
    now: () => Date.now() - 3_600_000,
    urls: async () => src(source('postgres')),
    line: /database src: clock: the clock of src is 36\d\d\.\d s ahead of this machine's/,
    remedy: /set both by NTP/,
  },
  {
    name: 'stamps of the year 2100',
    urls: () => cursorTable("insert into orders values (1, 'x', '2100-01-01')"),
    line: /pipeline orders: cursor: 1 row of src\.orders beyond .* in no window before that time/,
    remedy: /correct the stamps/,
  },
  {
    name: 'a cursor without an index',
    urls: () => cursorTable("insert into orders select n, 'x', '2024-01-01' from generate_series(1, 10001) n"),
    line: /pipeline orders: cursor: no index of src\.orders begins with last_updated/,
    remedy: /create index on orders \(last_updated\)/,
  },
  {
    name: 'a cursor with an index that finds no range',
    urls: () =>
      cursorTable(
        "drop index if exists orders_last_updated_idx; create index on orders using hash (last_updated); insert into orders select n, 'x', '2024-01-01' from generate_series(1, 10001) n",
      ),
    line: /pipeline orders: cursor: no index of src\.orders begins with last_updated/,
    remedy: /create index on orders \(last_updated\)/,
  },
  {
    name: 'a column that the model does not know',
    urls: () => cursorTable('alter table orders add note text'),
    line: /pipeline orders: contract: src\.orders has a column that the model does not know/,
    remedy: /note/,
  },
  {
    name: 'a trigger of the target',
    urls: () => dst(altered(target('sqlite'), 'create trigger late before insert on order_fact begin select 1; end')),
    line: /pipeline orders: triggers: dst\.order_fact has triggers/,
    remedy: /look whether they are meant/,
  },
  {
    name: 'a table that refers to a target whose rows are deleted',
    files: edited(
      pipelineFile,
      "load: upsert(Fact, { by: 'id' })",
      "load: upsert(Fact, { by: 'id' }), deletes: 'hard'",
    ),
    urls: () => dst(altered(target('postgres'), 'create table line (id int, fact bigint references order_fact)')),
    line: /pipeline orders: foreign keys: line refers to dst\.order_fact/,
    remedy: /deletes: 'soft'/,
  },
  {
    name: 'a folder that no workflow runs',
    files: { 'functions/old/task.ts': 'export {}' },
    line: /project: folder: no workflow runs functions\/old/,
    remedy: /add run\(old\)/,
  },
  {
    name: 'a file .env that others can read',
    files: { '.env': 'DRAY_PATIENT=x\n' },
    line: /machine: \.env: .*\.env can be read by other users/,
    remedy: /chmod 600/,
  },
]
