import type { ValueDatabase } from '#test/contracts/value-databases.ts'
import { speechOf } from '#test/contracts/values.ts'
import type { HostileTable } from './hostile-table.ts'

/** The target's table has a name of its own: one database may be both sides. */
export function targetName(table: HostileTable): string {
  return `${table.table}_t`
}

/** Every fifth row is what a trigger or a check has something against. */
export function isMinded(ident: number): boolean {
  return ident % 5 === 0
}

/** Makes the target's table by hand, with what is hostile about it. */
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
    ...(table.nuisance === 'stamps' ? ['noted int NULL'] : []),
    ...(table.nuisance === 'check' ? ['CONSTRAINT no_fifth CHECK (ident % 5 <> 0)'] : []),
    ...(table.nuisance === 'unique' ? [`UNIQUE (rev, ${isHistory ? 'valid_from, ' : ''}ident)`] : []),
    ...(table.nuisance === 'filled'
      ? ["filled varchar(10) NOT NULL DEFAULT 'x'", 'twice bigint GENERATED ALWAYS AS (rev * 2) STORED']
      : []),
    `PRIMARY KEY (${key.join(', ')})`,
  ]
  await target.run(`CREATE TABLE ${name} (${columns.join(', ')})`)
  for (const sql of TRIGGERS[speech](table.nuisance, name)) await target.run(sql)
}

type Triggers = (nuisance: HostileTable['nuisance'], table: string) => readonly string[]

const TRIGGERS: Readonly<Record<'postgres' | 'mysql' | 'sqlite', Triggers>> = {
  postgres: (nuisance, table) => {
    const body = {
      drops: 'if new.ident % 5 = 0 then return null; end if; return new;',
      raises: "if new.ident % 5 = 0 then raise exception 'not this one'; end if; return new;",
      stamps: 'new.noted = 1; return new;',
    }[nuisance as string]
    if (body === undefined) return []
    return [
      `create or replace function hostile() returns trigger language plpgsql as $$begin ${body} end$$`,
      `create trigger hostile before insert or update on ${table} for each row execute function hostile()`,
    ]
  },
  mysql: (nuisance, table) => {
    const body = {
      raises: "begin if new.ident % 5 = 0 then signal sqlstate '45000' set message_text = 'not this one'; end if; end",
      stamps: 'set new.noted = 1',
    }[nuisance as string]
    if (body === undefined) return []
    return ['insert', 'update'].map(
      (event) => `create trigger hostile_${event} before ${event} on ${table} for each row ${body}`,
    )
  },
  sqlite: (nuisance, table) => {
    const body = {
      drops: 'before insert on # when new.ident % 5 = 0 begin select raise(ignore); end',
      raises: "before insert on # when new.ident % 5 = 0 begin select raise(abort, 'not this one'); end",
      stamps: 'after insert on # begin update # set noted = 1 where ident = new.ident and rev = new.rev; end',
    }[nuisance as string]
    return body === undefined ? [] : [`create trigger hostile ${body.replaceAll('#', () => table)}`]
  },
}
