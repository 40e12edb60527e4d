/** What `npm test` runs on MySQL, too, once all files have run on MariaDB. */
export const filesOnMysql: readonly string[] = [
  'test/dray/database/mysql.test.ts',
  'test/dray/database/mysql/*.test.ts',
  'test/dray/database/spellings.test.ts',
  'test/dray/active-record/active-record.test.ts',
  'test/dray/pipeline/contract.test.ts',
]

/** The part that runs on MySQL what else speaks it. */
export const MYSQL_PART = 'mysql'

/** The parts of `npm run test:long`, each of which ends within 20 minutes on two processors. */
export const longParts: Readonly<Record<string, readonly string[]>> = {
  simulation: ['test/dray/faults/simulation/simulation.test.ts', 'test/dray/faults/simulation/crash-points.test.ts'],
  mutants: ['test/dray/faults/simulation/mutants.test.ts'],
  'kills-postgres': ['test/dray/faults/kill/kill-postgres.test.ts'],
  'kills-mariadb': ['test/dray/faults/kill/kill-mariadb.test.ts'],
  [MYSQL_PART]: [
    'test/dray/database/*.test.ts',
    'test/dray/active-record/naughty-strings.test.ts',
    'test/dray/docs/active-record.test.ts',
    'test/dray/pipeline/*.test.ts',
    'test/dray/cli/run-warehouses.test.ts',
    'test/dray/local/csv-import.test.ts',
    'test/dray/faults/kill/{kill-mariadb,processes,rows,server-crash,staged-objects}.test.ts',
    'test/dray/faults/proxy/proxy.test.ts',
    'test/dray/faults/silent-losses*.test.ts',
  ],
  'project-replaced': ['test/dray/projects/replaced.long.ts'],
  'project-grown': ['test/dray/projects/grown.long.ts'],
}
