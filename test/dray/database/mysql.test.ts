import { describe } from 'node:test'
import type { Connection } from 'dray/internal/database/adapter.ts'
import { createMysqlAdapter } from 'dray/internal/database/mysql/index.ts'
import { adapterContract } from '#test/contracts/adapter.ts'
import { isRealMysql, mysqlUnavailable, startMysqlServer } from '#test/services/mysql-server.ts'
import { NOPAD, numbersTo } from '#test/services/mysql-speech.ts'

const skip = mysqlUnavailable ?? false

describe('MySQL', { skip }, () => {
  adapterContract('MySQL', {
    async open() {
      const server = await startMysqlServer()
      const url = await server.createDatabase()
      return {
        adapter: createMysqlAdapter({ name: 'warehouse', url, maxConnections: 3 }),
        close: () => server.stop(),
      }
    },
    types: {
      bigint: 'bigint',
      integer: 'int',
      text: 'longtext',
      varchar: (length) => `varchar(${length}) COLLATE ${NOPAD}`,
      binary: 'longblob',
      timestamp: 'datetime(6)',
    },
    exact: {
      'decimal(38,18)': ['12345678901234567890.123456789012345678', '-0.000000000000000001'],
      double: ['0.1', '5e-324', '1.7976931348623157e308', ['10.0', '10']],
      'bigint unsigned': ['18446744073709551615'],
      'datetime(6)': ['0001-01-01 00:00:00.000000', '9999-12-31 23:59:59.999999', '2024-03-31 03:30:00.000001'],
      'timestamp(6) NULL': ['2024-03-31 01:30:00.000001'],
      date: ['0001-01-01', '9999-12-31', '2024-02-29'],
      'time(6)': ['-838:59:58.999999'],
      // MariaDB's is text; MySQL's own is written anew.
      json: [isRealMysql ? '{"a": 12345678901234567890, "b": 1.0}' : '{"n": 12345678901234567890, "n": 1.0}'],
      ...(isRealMysql ? {} : { uuid: ['123e4567-e89b-12d3-a456-426614174000'] }),
      'varchar(9)': ['a', 'A', 'a ', 'á'],
      "enum('a','b')": ['b'],
    },
    tablesCommit: true,
    below100: 'INT NOT NULL CHECK (small < 100)',
    series: (rows) => `SELECT seq FROM ${numbersTo(rows)}`,
    queryTypes: {
      '`Two words`': 'bigint',
      word: 'varchar(12)',
      at: 'datetime(6)',
      'count(*)': 'bigint',
      'sum(`Two words`)': 'decimal(41,0)',
      'cast(1 AS decimal(7,2))': 'decimal(7,2)',
      "'x'": 'varchar(1)',
      '1 > 0': 'int',
      NULL: 'varchar(0)',
    },
    refusesNul: false,
    failureSpoilsTransaction: false,
    server: {
      session: 'SELECT CONNECTION_ID()',
      async kill(connection: Connection, session: string) {
        await connection.query(`KILL ${session}`)
        const isThere = async () =>
          (await connection.query('SELECT 1 FROM information_schema.processlist WHERE id = ?', [session])).rows.length >
          0
        while (await isThere());
      },
      sleep: (seconds) => `SELECT SLEEP(${seconds})`,
      running: (session) => `SELECT 1 FROM information_schema.processlist WHERE id = ${session} AND command = 'Query'`,
    },
    seesOpenTransactions: true,
  })
})
