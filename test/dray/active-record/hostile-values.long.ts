import { describe } from 'node:test'
import { openHostileMysql, openHostilePostgres } from '#test/contracts/hostile-databases.ts'
import { MYSQL_ALONE, MYSQL_HOSTILE, POSTGRES_HOSTILE } from '#test/contracts/hostile-settings.ts'
import { alone, valuesUnderSettings } from '#test/contracts/hostile-values.ts'
import { MYSQL_NAME, mysqlUnavailable, othersSkipped } from '#test/services/mysql-server.ts'

describe('the values of the matrix in PostgreSQL', { skip: othersSkipped ?? false }, () => {
  valuesUnderSettings(
    () => openHostilePostgres(POSTGRES_HOSTILE),
    ['server', 'database', 'role', 'role in the database'],
    alone(POSTGRES_HOSTILE),
  )
})

describe(`the values of the matrix in ${MYSQL_NAME}`, { skip: mysqlUnavailable ?? false }, () => {
  valuesUnderSettings(openHostileMysql, ['server', 'user'], alone([...MYSQL_HOSTILE, ...MYSQL_ALONE]))
})
