import type { TableIdentity } from '../capabilities.ts'
import type { ReadRows } from '../reading.ts'

/** Grows with each change of a definition in the file. A table that is made anew may lie where it lay before. */
const VERSION = 'select schema_version from pragma_schema_version'

export async function tableIdentity(rows: ReadRows): Promise<TableIdentity> {
  const [[version = null] = []] = await rows(VERSION, [])
  return { ids: [], definition: version, partsFrom: null }
}
