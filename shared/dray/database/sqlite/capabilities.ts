import { sql } from 'kysely'
import type { Capabilities } from '../capabilities.ts'
import { comparedAs } from './compared-as.ts'
import { digests } from './digests.ts'
import { identity } from './identity.ts'
import { schema } from './schema.ts'
import { textStamps } from './text-stamps.ts'

export const capabilities: Capabilities = {
  placeholder: () => '?',
  now: `strftime('%Y-%m-%d %H:%M:%f', 'now')`,
  everyRow: '-1',
  // One connection writes at a time.
  rowLock: () => '',
  defaultValues: ' default values',
  overridingGenerated: '',
  lastGeneratedKey: null,
  settledTransaction: null,
  instantsNeedOffset: false,
  stampDigits: 6,
  stampForm: () => 'text',
  textStamps,
  zones: null,
  comparedAs,
  floatDigits: null,
  keyOrder(column, kind) {
    switch (kind) {
      case 'bigint':
      case 'integer':
        // It sorts by what was stored, which may be text.
        return sql`cast(${column} as integer)`
      case 'text':
      case 'varchar':
      case 'json':
        return sql`cast(${column} as text) collate binary`
      case 'uuid':
        return sql`lower(cast(${column} as text)) collate binary`
      default:
        return column
    }
  },
  schema,
  digests,
  identity,
}
