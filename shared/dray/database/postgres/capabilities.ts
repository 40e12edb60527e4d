import { sql } from 'kysely'
import type { Capabilities } from '../capabilities.ts'
import { alter } from './alter.ts'
import { catalogue } from './catalogue.ts'
import { digests } from './digests.ts'
import { identity } from './identity.ts'
import { quoteTable } from './names.ts'
import { schema } from './schema.ts'
import { textStamps } from './text-stamps.ts'
import { zones } from './zones.ts'

const MOMENT = /^(timestamptz|timestamp.* with time zone)(?!.*\[\])/i
const LOCAL = /^(timestamp|date)\b(?!.*\[\])/i
const SHORT =
  /^(bigint|integer|smallint|numeric|real|double|boolean|uuid|date|time|interval|money|inet|cidr|macaddr|xid|oid)\b(?!.*\[\])/

const DRAWN = `SELECT last_value, cache_size FROM pg_sequences
  WHERE to_regclass(format('%I.%I', schemaname, sequencename)) = to_regclass(pg_get_serial_sequence($1, $2))`

export const capabilities: Capabilities = {
  placeholder: (position) => `$${position}`,
  mostParameters: 65_535,
  now: 'clock_timestamp()',
  everyRow: 'all',
  rowLock: (mode) => (mode === 'share' ? ' for share' : ' for update'),
  defaultValues: ' default values',
  overridingGenerated: ' overriding system value',
  lastGeneratedKey: null,
  // https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT-PARTS
  settledTransaction: 'pg_snapshot_xmin(pg_current_snapshot())',
  numbersCommitInOrder: false,
  async drawnNumbers(rows, table, column) {
    const [found] = await rows(DRAWN, [quoteTable(table), column])
    return { last: found?.[0] ?? null, areKept: BigInt(found?.[1] ?? 1) > 1n }
  },
  typeOf: (value) => sql`pg_typeof(${value})`,
  indexOrder: {
    explain: (select) => sql`explain ${select}`,
    isByIndex: (explained) => !explained.some((line) => /\bSort\b/.test(line)),
    create: (table, expression) => `create index on ${table} ((${expression}))`,
  },
  booleansAreNumbers: false,
  infinity: null,
  instantsNeedOffset: true,
  stampDigits: 6,
  stampForm: (type) => (MOMENT.test(type) ? 'moment' : LOCAL.test(type) ? 'local' : 'text'),
  textStamps,
  zones,
  comparedAs: null,
  isNull: (column) => sql`${column} is null`,
  isImpossibleMoment: null,
  floatDigits: null,
  // A cast of what is text already is none, so that what is stored out of line stays there.
  bytesOf: (column, type) =>
    SHORT.test(type) ? null : sql`octet_length(${type === 'bytea' ? column : sql`cast(${column} as text)`})`,
  alter,
  catalogue,
  schema,
  digests,
  identity,
}
