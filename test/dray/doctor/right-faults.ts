import { MYSQL_NAME } from '#test/services/mysql-server.ts'
import type { Fault } from './fault.ts'
import { altered, asUser, dst, onHostile, source, src, target } from './servers.ts'

export const ofRights: readonly Fault[] = [
  {
    name: 'no temporary tables in PostgreSQL',
    urls: async () =>
      dst(
        asUser(
          await altered(
            target('postgres'),
            'do $$ begin execute format($f$revoke temporary on database %I from public$f$, current_database()); end $$',
          ),
          'grant all on order_fact to %u',
          'grant create on schema public to %u',
        ),
      ),
    line: /database dst: temporary tables: .*no temporary table can be made/,
    remedy: /grant TEMPORARY on the database/,
  },
  {
    name: `no temporary tables in ${MYSQL_NAME}`,
    urls: async () =>
      dst(
        asUser(await target('mysql'), 'grant select, insert, update, delete, create, alter, drop, index on $.* to %u'),
      ),
    line: /database dst: temporary tables: .*Access denied/,
    remedy: /grant .*CREATE TEMPORARY TABLES/,
  },
  {
    name: 'no tables of its own in PostgreSQL',
    urls: async () => dst(asUser(await target('postgres'), 'grant all on order_fact to %u')),
    line: /database dst: own tables: .*may not make tables in the schema public/,
    remedy: /grant create on schema "public"/,
  },
  {
    name: `no tables of its own in ${MYSQL_NAME}`,
    urls: async () =>
      dst(asUser(await target('mysql'), 'grant select, insert, update, delete, create temporary tables on $.* to %u')),
    line: /database dst: own tables: .*may not make tables in test_/,
    remedy: /grant create, alter, drop, index on/,
  },
  {
    name: 'tables of a newer Dray',
    urls: () =>
      dst(
        altered(
          target('postgres'),
          'create table dray_migration (version bigint primary key, applied_at timestamptz)',
          'insert into dray_migration values (99, now())',
        ),
      ),
    line: /database dst: own tables: .*version 99/,
    remedy: /Deploy that version here, too/,
  },
  {
    name: 'a source of PostgreSQL that may not be read',
    urls: async () => src(asUser(await source('postgres'))),
    line: /pipeline orders: .*permission denied for table orders/,
    remedy: /grant|Grant/,
  },
  {
    name: `a source of ${MYSQL_NAME} that may not be read`,
    urls: async () =>
      src(asUser(await altered(source('mysql'), 'create table other (id int)'), 'grant select on $.other to %u')),
    line: /pipeline orders: no source: there is no table src\.orders/,
    remedy: /create it, or correct the name/,
  },
  {
    name: 'rows that a policy hides',
    urls: async () =>
      src(
        asUser(
          await altered(
            source('postgres'),
            'alter table orders enable row level security',
            'create policy late on orders using (id > 5)',
          ),
          'grant select on orders to %u',
        ),
      ),
    line: /pipeline orders: read: .*row-level security/,
    remedy: /BYPASSRLS/,
  },
  {
    name: 'a target of PostgreSQL that may not be updated',
    urls: async () =>
      dst(
        asUser(
          await target('postgres'),
          'grant select, insert on order_fact to %u',
          'grant create on schema public to %u',
        ),
      ),
    line: /pipeline orders: write: rows of dst\.order_fact cannot be written \(update\)/,
    remedy: /needs the right to update; grant/,
  },
  {
    name: `a target of ${MYSQL_NAME} that may not be inserted into`,
    urls: async () =>
      dst(
        asUser(
          await target('mysql'),
          'grant create, alter, drop, index, create temporary tables on $.* to %u',
          'grant select, update on $.order_fact to %u',
        ),
      ),
    line: /pipeline orders: write: rows of dst\.order_fact cannot be written \(insert\)/,
    remedy: /needs the right to insert; grant/,
  },
  {
    name: 'a SQLite target that is opened for reading',
    urls: async () => dst(Promise.resolve(`${await target()}?mode=ro`)),
    line: /database dst: .*(cannot be written|no temporary table can be made)/,
    remedy: /mode=ro/,
  },
  {
    name: `a ${MYSQL_NAME} that is read-only`,
    urls: async () => dst(asUser(await onHostile('target'), 'grant all on $.* to %u')),
    line: /database dst: read only: .*is read-only/,
    remedy: /bind dst to the primary/,
  },
]
