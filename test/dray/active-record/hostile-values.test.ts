import { describe } from 'node:test'
import { openHostileMysql, openHostilePostgres } from '#test/contracts/hostile-databases.ts'
import { MYSQL_ALONE, MYSQL_HOSTILE, POSTGRES_HOSTILE, type Setting } from '#test/contracts/hostile-settings.ts'
import { alone, type Given, valuesUnderSettings } from '#test/contracts/hostile-values.ts'
import { MYSQL_NAME, mysqlUnavailable, othersSkipped } from '#test/services/mysql-server.ts'

/** All at once; `npm run test:long -- hostile-values` gives each alone. */
const all = (settings: readonly Setting[]) => (levels: readonly string[]) =>
  levels.map((level): Given => ({ level, what: 'all hostile settings', settings, withFiles: level === levels.at(-1) }))

describe('the values of the matrix in PostgreSQL', { skip: othersSkipped ?? false }, () => {
  valuesUnderSettings(
    () => openHostilePostgres(POSTGRES_HOSTILE),
    ['server', 'database', 'role', 'role in the database'],
    all(POSTGRES_HOSTILE),
  )
})

describe(`the values of the matrix in ${MYSQL_NAME}`, { skip: mysqlUnavailable ?? false }, () => {
  valuesUnderSettings(openHostileMysql, ['server', 'user'], (levels) => [
    ...all(MYSQL_HOSTILE)(levels),
    ...alone(MYSQL_ALONE)(levels.slice(0, 1)),
  ])
})
