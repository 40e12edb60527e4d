import { MYSQL_NAME } from '#test/services/mysql-server.ts'
import { edited, type Fault, pipelineFile } from './fault.ts'
import { altered, dst, made, onHostile, source, src, target } from './servers.ts'

export const ofTables: readonly Fault[] = [
  {
    name: 'no table in a SQLite source',
    urls: async () => src(made('sqlite')),
    line: /no source: there is no table src\.orders/,
    remedy: /create it, or correct the name/,
  },
  {
    name: 'a column that PostgreSQL does not have',
    urls: () => src(altered(source('postgres'), 'alter table orders rename status to state')),
    line: /src\.orders has no column status/,
    remedy: /add it, or correct the field/,
  },
  {
    name: `a column of another kind in ${MYSQL_NAME}`,
    urls: () => src(altered(source('mysql'), 'alter table orders modify id double not null')),
    line: /src\.orders\.id is double, the model says bigint/,
    remedy: /declare the field id as double/,
  },
  {
    name: 'a column of the target that has to have a value',
    urls: () => dst(altered(target('postgres'), 'alter table order_fact add region text not null')),
    line: /dst\.order_fact\.region must have a value and the model does not know it/,
    remedy: /add a field, or give the column a default/,
  },
  {
    name: 'a target without its key',
    urls: () => dst(altered(target('postgres'), 'alter table order_fact drop constraint order_fact_pkey')),
    line: /dst\.order_fact has no primary or unique key on id/,
    remedy: /add one/,
  },
  {
    name: 'a by that is no key',
    files: edited(pipelineFile, "by: 'id'", "by: 'status'"),
    urls: () => dst(target('postgres')),
    line: /key: orders finds rows of dst\.order_fact by status, and no primary or unique key/,
    remedy: /create unique index on order_fact \(status\)/,
  },
  {
    name: 'a check that the target does not take',
    files: {
      [pipelineFile]: (
        edited(
          pipelineFile,
          "{ by: 'id' })",
          "{ by: 'id' }), checks: [noRows('no ghosts', sql`select ghost from ${Fact}`)]",
        )[pipelineFile] as string
      ).replace('changedSince, pipeline', 'changedSince, noRows, pipeline, sql'),
    },
    urls: () => dst(target('postgres')),
    line: /checks: orders: the check no ghosts of dst\.order_fact cannot run, so nothing was read: .*ghost/,
    remedy: /correct the check/,
  },
  {
    name: 'a check of a task that the database does not take',
    files: {
      ...edited('infra/nightly.ts', 'run(orders)', "run(orders), run({ kind: 'task', name: 'data-mart' })"),
      'functions/data-mart/task.ts': `import { checked, noRows, sql, task } from 'dray'; import { Fact } from '#models/models.ts'
export const dataMart = task('data-mart', async () => {}, { checks: [checked(Fact, [noRows('no ghosts', sql\`select ghost from \${Fact}\`)])] })`,
      'functions/data-mart/run.ts': `import { taskHandler } from 'dray/lambda'; import { dataMart } from './task.ts'
export const handler = taskHandler(dataMart)`,
    },
    urls: () => dst(target('postgres')),
    line: /step data-mart: checks: data-mart: the check no ghosts of dst\.order_fact cannot run, so nothing was read: .*ghost/,
    remedy: /correct the check/,
  },
  {
    name: 'a task whose SELECT does not fit its table',
    files: {
      ...edited('infra/nightly.ts', 'run(orders)', "run(orders), run({ kind: 'task', name: 'data-mart' })"),
      'functions/data-mart/task.ts': `import { sql, task } from 'dray'; import { Fact } from '#models/models.ts'
export const dataMart = task('data-mart', sql\`select id from \${Fact}\`, { into: Fact, by: 'id' })`,
      'functions/data-mart/run.ts': `import { taskHandler } from 'dray/lambda'; import { dataMart } from './task.ts'
export const handler = taskHandler(dataMart)`,
    },
    urls: () => dst(target('postgres')),
    line: /step data-mart: select: data-mart: the SELECT does not fit dst\.order_fact/,
    remedy: /it has no column status \(the field status\): write … as status/,
  },
  {
    name: 'a target column that the database computes',
    urls: () =>
      dst(
        altered(
          target('postgres'),
          "alter table order_fact drop status, add status text generated always as ('x') stored",
        ),
      ),
    line: /contract: orders: the database computes status of dst\.order_fact itself/,
    remedy: /leave status out of the model/,
  },
  {
    name: 'a table that refers to a target that is replaced',
    files: {
      [pipelineFile]: (edited(pipelineFile, "upsert(Fact, { by: 'id' })", 'replace(Fact)')[pipelineFile] as string)
        .replace("changedSince(Order, { cursor: 'lastUpdated' })", 'fullLoad(Order)')
        .replace('changedSince, pipeline, upsert', 'fullLoad, pipeline, replace'),
    },
    urls: () => dst(altered(target('postgres'), 'create table line (id int, fact bigint references order_fact)')),
    line: /foreign keys: orders: dst\.order_fact cannot be replaced, since line refers to it/,
    remedy: /load with upsert\(\) and deletes: 'hard' instead/,
  },
  {
    name: 'rows without a cursor',
    urls: () =>
      src(
        altered(
          source('postgres'),
          'alter table orders alter last_updated drop not null',
          'insert into orders values (1)',
        ),
      ),
    line: /cursor: orders: 1 row of src\.orders has no last_updated/,
    remedy: /fill it in, or say nulls/,
  },
  {
    name: `stamps of a clock in another zone on ${MYSQL_NAME}`,
    urls: () => src(onHostile('source', (table) => table.replace('timestamp(6)', 'datetime(6)'))),
    line: /cursor: src\.orders: the cursor lastUpdated is a time of some clock/,
    remedy: /zone: 'UTC'/,
  },
  {
    name: 'stamps that cannot be put in order',
    urls: () => src(altered(source('sqlite'), "insert into orders values (1, 'x', '11/28/2026 08:05')")),
    line: /cursor: .*last_updated|cursor: .*lastUpdated/,
    remedy: /;/,
  },
]
