import type { IdentityCapabilities } from '../capabilities.ts'
import { sameDefinition, tableIdentity } from './table-identity.ts'

/**
 * The file's path. Nothing within a file tells it from its copies, and a copy that takes its place, as a nightly export
 * does, is the same source with newer rows.
 */
export const identity: IdentityCapabilities = {
  ofTable: tableIdentity,
  sameDefinition,
  newParts: null,
  tablesKnownBy: null,
  async read(rows) {
    const files = await rows('pragma database_list', [])
    const file = files.find(([, name]) => name === 'main')?.[2] ?? ''
    return { identity: { server: file, database: 'main', position: null }, weakness: null }
  },
  async compare(_rows, known, now) {
    return known.server === now.server ? 'same' : 'other'
  },
}
