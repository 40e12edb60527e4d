import type { Adapter } from 'dray/internal/database/adapter.ts'
import { mysql } from './mysql.ts'
import { postgres } from './postgres.ts'
import { sqlite } from './sqlite.ts'
import type { Catalogue } from './tables.ts'

/** By the engine's name: functions on AWS never ask these, so they are no part of an adapter. */
const catalogues: ReadonlyMap<string, Catalogue> = new Map(Object.entries({ postgres, mysql, sqlite }))

export function catalogueOf(adapter: Adapter): Catalogue {
  return catalogues.get(adapter.dialect) as Catalogue
}
