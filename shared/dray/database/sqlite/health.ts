import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { databaseUrl } from '../database-url.ts'
import { type Checked, found, type Health } from '../health.ts'
import { tableNameOf } from '../table-name.ts'
import { type Place, readUrl } from './url.ts'

const FULL_BYTES = 100e6

export const health: Health = {
  placeOf(options) {
    readUrl(options)
    return null
  },

  async facts(connection) {
    const version = (await connection.query('select sqlite_version()')).rows[0]?.[0]
    return { version: `SQLite ${version}`, user: '', clock: null, tls: null, limits: [] }
  },

  async remarks(_connection, database, { isWritten }) {
    const place = readUrl({ name: database, url: databaseUrl(database) })
    return isWritten ? [...readOnly(place), ...fullDisk(place)] : []
  },

  cannotMakeTables: async () => null,

  beginsWithoutLock: false,

  indexOf: (table, column) => ({
    sql: `select 1 from pragma_index_list(?) l, pragma_index_info(l.name) i where i.seqno = 0 and lower(i.name) = lower(?) limit 1`,
    parameters: [tableNameOf(table).name, column],
  }),
}

function readOnly({ name, path, readOnly: isOpenedSo }: Place): Checked[] {
  if (path === ':memory:' || !existsSync(path)) return []
  try {
    if (!isOpenedSo) accessSync(path, constants.W_OK)
    if (!isOpenedSo) return []
  } catch {
    // Said below.
  }
  const remedy = isOpenedSo ? 'take ?mode=ro out of its URL' : `chmod u+w ${path}`
  return [
    found('read only', 'broken', `${name} cannot be written (${path}), so nothing can be loaded into it; ${remedy}`),
  ]
}

function fullDisk({ name, path }: Place): Checked[] {
  if (path === ':memory:') return []
  const { bavail, bsize } = statfsSync(dirname(path))
  const free = bavail * bsize
  if (free >= FULL_BYTES) return []
  const left = `${Math.floor(free / 1e6)} MB are free`
  return [
    found(
      'disk',
      'warning',
      `${left} where ${name} is (${dirname(path)}), so a load may fail in the middle; make room`,
    ),
  ]
}
