import { sql } from 'kysely'
import type { Capabilities } from '../capabilities.ts'
import { tableNameOf } from '../table-name.ts'
import { alter } from './alter.ts'
import { catalogue } from './catalogue.ts'
import { comparedAs } from './compared-as.ts'
import { digests } from './digests.ts'
import { identity } from './identity.ts'
import { schema } from './schema.ts'
import { textStamps } from './text-stamps.ts'

export const capabilities: Capabilities = {
  placeholder: () => '?',
  mostParameters: 32_766,
  now: `strftime('%Y-%m-%d %H:%M:%f', 'now')`,
  everyRow: '-1',
  // One connection writes at a time.
  rowLock: () => '',
  defaultValues: ' default values',
  overridingGenerated: '',
  lastGeneratedKey: null,
  settledTransaction: null,
  numbersCommitInOrder: true,
  async drawnNumbers(rows, table) {
    const [found] = await rows('select seq from sqlite_sequence where name = ?', [tableNameOf(table).name])
    return { last: found?.[0] ?? null, areKept: false }
  },
  typeOf: null,
  indexOrder: {
    explain: (select) => sql`explain query plan ${select}`,
    isByIndex: (explained) => !explained.some((line) => /TEMP B-TREE/i.test(line)),
    create: (table, expression, name) => `create index ${name} on ${table} (${expression})`,
  },
  booleansAreNumbers: false,
  infinity: '9e999',
  instantsNeedOffset: false,
  stampDigits: 6,
  stampForm: () => 'text',
  textStamps,
  zones: null,
  comparedAs,
  isNull: (column) => sql`${column} is null`,
  isImpossibleMoment: null,
  floatDigits: null,
  bytesOf: (column) => sql`octet_length(${column})`,
  alter,
  catalogue,
  schema,
  digests,
  identity,
}
