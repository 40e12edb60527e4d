import { describe } from 'node:test'
import { openHostileMysql, openHostilePostgres } from '#test/contracts/hostile-databases.ts'
import { MYSQL_HOSTILE, MYSQL_MODES, POSTGRES_HOSTILE, type Setting } from '#test/contracts/hostile-settings.ts'
import { type Given, valuesUnderSettings } from '#test/contracts/hostile-values.ts'
import { MYSQL_NAME, mysqlUnavailable, othersSkipped } from '#test/services/mysql-server.ts'

/** All at once; `npm run test:long -- hostile-values` gives each alone. */
const all = (settings: readonly Setting[]) => (levels: readonly string[]) =>
  levels.map((level): Given => ({ level, what: 'all hostile settings', settings }))

describe('the values of the matrix in PostgreSQL', { skip: othersSkipped ?? false }, () => {
  valuesUnderSettings(() => openHostilePostgres(POSTGRES_HOSTILE), all(POSTGRES_HOSTILE), [
    'server',
    'database',
    'role',
    'role in the database',
  ])
})

describe(`the values of the matrix in ${MYSQL_NAME}`, { skip: mysqlUnavailable ?? false }, () => {
  const modes = MYSQL_MODES.map(
    (mode): Given => ({
      level: 'server',
      what: `sql_mode ${mode.value}`,
      settings: [mode],
    }),
  )
  valuesUnderSettings(openHostileMysql, (levels) => [...all(MYSQL_HOSTILE)(levels), ...modes], ['server', 'user'])
})
