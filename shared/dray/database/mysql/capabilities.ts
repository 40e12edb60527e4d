import { sql } from 'kysely'
import type { Capabilities } from '../capabilities.ts'
import { alter } from './alter.ts'
import { catalogue } from './catalogue.ts'
import { comparedAs } from './compared-as.ts'
import { digests } from './digests.ts'
import { identity } from './identity.ts'
import { isImpossibleMoment } from './impossible-moments.ts'
import { quote, quoteTable } from './names.ts'
import { schema } from './schema.ts'
import { textStamps } from './text-stamps.ts'
import { zones } from './zones.ts'

const LOCAL = /^(datetime|date)/i
const LONG = /text|blob|char|binary|json|geometry|point|linestring|polygon|vector/i

export const capabilities: Capabilities = {
  placeholder: () => '?',
  // They are literals in the text.
  mostParameters: Number.POSITIVE_INFINITY,
  now: 'utc_timestamp(6)',
  everyRow: '18446744073709551615',
  rowLock: (mode) => (mode === 'share' ? ' lock in share mode' : ' for update'),
  defaultValues: ' () values ()',
  overridingGenerated: '',
  lastGeneratedKey: 'last_insert_id()',
  settledTransaction: null,
  numbersCommitInOrder: false,
  async drawnNumbers(rows, table, column) {
    const made = (await rows(`show create table ${quoteTable(table)}`, []))[0]?.[1] ?? ''
    const isCounted = made
      .split('\n')
      .some((line) => line.includes(` ${quote(column)} `) && /auto_increment/i.test(line))
    const next = /\) .*\bAUTO_INCREMENT=(\d+)/.exec(made)?.[1]
    return { last: isCounted && next !== undefined ? String(BigInt(next) - 1n) : null, areKept: false }
  },
  typeOf: null,
  // Without its name the format is up to a setting: a tree, as of MySQL 9.
  indexOrder: {
    explain: (select) => sql`explain format=traditional ${select}`,
    isByIndex: (explained) => !explained.some((line) => /filesort/i.test(line)),
    create: (table, expression, name) =>
      `create index ${name} on ${table} ((${expression})); on MariaDB, which has no index of an expression, add a column that is generated from it, index that and name it as the cursor`,
  },
  booleansAreNumbers: true,
  infinity: null,
  instantsNeedOffset: false,
  stampDigits: 0,
  stampForm: (type) => (/^timestamp/i.test(type) ? 'moment' : LOCAL.test(type) ? 'local' : 'text'),
  textStamps,
  zones,
  comparedAs,
  // `IS NULL` finds zero dates in columns that cannot be NULL.
  // https://dev.mysql.com/doc/refman/8.4/en/comparison-operators.html#operator_is-null
  isNull: (column) => sql`${column} <=> null`,
  isImpossibleMoment,
  floatDigits: 6,
  bytesOf: (column, type) => (LONG.test(type) ? sql`octet_length(${column})` : null),
  alter,
  catalogue,
  schema,
  digests,
  identity,
}
