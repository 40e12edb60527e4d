import type { ValueDatabase } from '#test/contracts/value-databases.ts'
import { type Form, speechOf } from '#test/contracts/values.ts'
import type { HostileTable } from './hostile-table.ts'

/** The target's table has a name of its own: one database may be both sides. */
export function targetName(table: HostileTable): string {
  return `${table.table}_t`
}

/** Every fifth row is what a trigger or a check has something against. */
export function isMinded(ident: number): boolean {
  return ident % 5 === 0
}

/** Numbers of rows, without every fifth. */
const IDENTS = 'hostile_idents'
const ROLE = 'hostile_carrier'

/** What targets have in common. */
export async function prepareTargets(target: ValueDatabase): Promise<void> {
  const isPostgres = target.engine === 'postgres'
  await target.run(`CREATE TABLE ${IDENTS} (ident bigint PRIMARY KEY)`)
  const idents = Array.from({ length: 100 }, (_, index) => index + 1).filter((ident) => !isMinded(ident))
  await target.run(`INSERT INTO ${IDENTS} VALUES ${idents.map((ident) => `(${ident})`).join(', ')}`)
  await target.run('CREATE TABLE hostile_writes (what varchar(10))')
  if (!isPostgres) return
  await target.run(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${ROLE}'; GRANT ALL ON SCHEMA public TO ${ROLE};
    GRANT ALL ON ALL TABLES IN SCHEMA public TO ${ROLE};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO ${ROLE}`)
}

/** The address of a target, for the user who is to load into it. */
export function urlOf({ url }: ValueDatabase, { nuisance }: HostileTable): string {
  if (nuisance !== 'policy') return url
  const other = new URL(url)
  other.username = ROLE
  other.password = ROLE
  return other.href
}

/** What the database shows of writes to the table: nothing was written while it stays as it is. */
export async function writesTo(target: ValueDatabase, table: HostileTable): Promise<readonly unknown[]> {
  if (target.engine === 'postgres')
    return target.rows(`SELECT ctid::text, xmin::text FROM ${target.quote(targetName(table))} ORDER BY 1`)
  return target.rows('SELECT what FROM hostile_writes')
}

/** Puts upon the table what is hostile about it beside its columns. */
export async function putUpon(target: ValueDatabase, table: HostileTable): Promise<void> {
  const speech = speechOf(target.engine)
  const name = target.quote(targetName(table))
  const key = table.keys[0] as HostileTable['keys'][number]
  const column = target.quote(key.name)
  const rekeyed =
    key.kind.name === 'text' ? { postgres: "'x' || #", mysql: "concat('x', #)", sqlite: "'x' || #" }[speech] : '# + 7'
  for (const sql of TRIGGERS[speech](table.nuisance, name, { column, rekeyed })) await target.run(sql)
  await target.run('DELETE FROM hostile_writes')
  if (!table.isCounted || speech === 'postgres') return
  for (const event of ['insert', 'update', 'delete']) {
    const insert = `insert into hostile_writes values ('${event}')`
    const body = speech === 'mysql' ? `for each row ${insert}` : `begin ${insert}; end`
    await target.run(`create trigger counts_${event} after ${event} on ${name} ${body}`)
  }
}

/** The table with the types of keys that its model has made, which are not those that were drawn. */
export function asMade(table: HostileTable, { engine }: ValueDatabase): HostileTable {
  const uuid = { postgres: 'uuid', mariadb: 'char(36)', mysql: 'char(36)', sqlite: 'text' }[engine]
  const made: Partial<Record<Form, string>> = { uuid, padded: 'text' }
  return { ...table, keys: table.keys.map((key) => ({ ...key, into: made[key.kind.form] ?? key.into })) }
}

/** Makes the target's table by hand. */
export async function createTarget(target: ValueDatabase, table: HostileTable): Promise<void> {
  const speech = speechOf(target.engine)
  const name = target.quote(targetName(table))
  const moment = { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'TEXT' }[speech]
  const isHistory = table.way === 'history'
  const key = [...table.keys.map((column) => target.quote(column.name)), ...(isHistory ? ['valid_from'] : [])]
  const columns = [
    ...table.keys.map(({ name: column, into }) => `${target.quote(column)} ${into} NOT NULL`),
    ...table.extras.map(
      ({ name: column, into }) => `${target.quote(column)} ${into}${speech === 'mysql' ? ' NULL' : ''}`,
    ),
    'ident bigint NOT NULL',
    'rev bigint NOT NULL',
    ...(isHistory ? [`valid_from ${moment} NOT NULL`, `valid_to ${moment} NULL`] : []),
    ...(table.deletes === 'soft' ? [`gone ${moment}${speech === 'mysql' ? ' NULL' : ''}`] : []),
    ...(table.nuisance === 'parents' ? [`boss bigint${speech === 'mysql' ? ' NULL' : ''}`, 'UNIQUE (ident)'] : []),
    ...(table.nuisance === 'stamps' ? ['noted int NULL'] : []),
    ...(table.nuisance === 'check' ? ['CONSTRAINT no_fifth CHECK (ident % 5 <> 0)'] : []),
    ...(table.nuisance === 'unique' ? [`UNIQUE (rev, ${isHistory ? 'valid_from, ' : ''}ident)`] : []),
    ...(table.nuisance === 'filled'
      ? ["filled varchar(10) NOT NULL DEFAULT 'x'", 'twice bigint GENERATED ALWAYS AS (rev * 2) STORED']
      : []),
    `PRIMARY KEY (${key.join(', ')})`,
    ...(table.nuisance === 'parents'
      ? [`CONSTRAINT hostile_foreign FOREIGN KEY (boss) REFERENCES ${name} (ident)`]
      : []),
    ...(table.nuisance === 'foreign'
      ? [`CONSTRAINT hostile_foreign FOREIGN KEY (ident) REFERENCES ${IDENTS} (ident)`]
      : []),
    ...(table.nuisance === 'deferred'
      ? [`CONSTRAINT hostile_foreign FOREIGN KEY (ident) REFERENCES ${IDENTS} (ident) DEFERRABLE INITIALLY DEFERRED`]
      : []),
  ]
  await target.run(`CREATE TABLE ${name} (${columns.join(', ')})`)
  if (table.nuisance === 'policy') {
    await target.run(`ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;
      CREATE POLICY hostile ON ${name} USING (true) WITH CHECK (ident % 5 <> 0)`)
  }
}

interface Rekeyed {
  readonly column: string
  /** What a trigger makes of the key, `#`. */
  readonly rekeyed: string
}

type Triggers = (nuisance: HostileTable['nuisance'], table: string, key: Rekeyed) => readonly string[]

const TRIGGERS: Readonly<Record<'postgres' | 'mysql' | 'sqlite', Triggers>> = {
  postgres: (nuisance, table, { column, rekeyed }) => {
    const body = {
      drops: 'if new.ident % 5 = 0 then return null; end if; return new;',
      raises: "if new.ident % 5 = 0 then raise exception 'not this one'; end if; return new;",
      closes: "if tg_op = 'UPDATE' and old.ident % 5 = 0 then raise exception 'not this one'; end if; return new;",
      rekeys: `if new.ident % 5 = 0 then new.${column} = ${rekeyed.replace('#', `new.${column}`)}; end if; return new;`,
      stamps: 'new.noted = 1; return new;',
    }[nuisance as string]
    if (body === undefined) return []
    return [
      `create or replace function hostile() returns trigger language plpgsql as $$begin ${body} end$$`,
      `create trigger hostile before insert or update on ${table} for each row execute function hostile()`,
    ]
  },
  mysql: (nuisance, table, { column, rekeyed }) => {
    const body = {
      raises: "begin if new.ident % 5 = 0 then signal sqlstate '45000' set message_text = 'not this one'; end if; end",
      closes: "begin if new.ident % 5 = 0 then signal sqlstate '45000' set message_text = 'not this one'; end if; end",
      rekeys: `begin if new.ident % 5 = 0 then set new.${column} = ${rekeyed.replace('#', `new.${column}`)}; end if; end`,
      stamps: 'set new.noted = 1',
    }[nuisance as string]
    if (body === undefined) return []
    const events = nuisance === 'closes' ? ['update'] : ['insert', 'update']
    return events.map((event) => `create trigger hostile_${event} before ${event} on ${table} for each row ${body}`)
  },
  sqlite: (nuisance, table, { column, rekeyed }) => {
    const body = {
      drops: 'before @ on # when new.ident % 5 = 0 begin select raise(ignore); end',
      raises: "before @ on # when new.ident % 5 = 0 begin select raise(abort, 'not this one'); end",
      closes: "before update on # when new.ident % 5 = 0 begin select raise(abort, 'not this one'); end",
      rekeys: `after insert on # when new.ident % 5 = 0 begin update # set ${column} = ${rekeyed.replace('#', column)} where ident = new.ident and rev = new.rev; end`,
      stamps: 'after insert on # begin update # set noted = 1 where ident = new.ident and rev = new.rev; end',
    }[nuisance as string]
    if (body === undefined) return []
    // A key that another row of the source has taken over is updated.
    const events = body.includes('@') ? ['insert', 'update'] : ['']
    return events.map(
      (event) => `create trigger hostile_${event} ${body.replace('@', event).replaceAll('#', () => table)}`,
    )
  },
}
