/** The part that `npm test` leaves out, and `.ci/run` adds: what is long because it is tried on each engine. */
export const ENGINES_PART = 'engines'

/** The part that runs on MySQL, in `.ci/run`, what two servers of one language are most likely to differ in. */
export const MYSQL_PART = 'mysql'

/** The rest of what speaks MySQL, by hand; on MariaDB all of it is in `npm test` and in the part `engines`. */
const MORE_ON_MYSQL_PART = 'mysql-more'

export const mysqlParts: readonly string[] = [MYSQL_PART, MORE_ON_MYSQL_PART]

/** The part that deploys to an emulator of AWS and works there; `.ci/run` adds it, too. */
export const CLOUD_PART = 'cloud'

/** Of pipelines: keys, types, DDL, statements that merge and delete, plans of the optimizer, clocks. */
const DIFFERENT_ON_MYSQL = [
  'checks',
  'counters',
  'declared-keys',
  'deletes',
  'float-keys',
  'foreign-keys',
  'generated-rows',
  'gone-rows',
  'history-stored',
  'hostile-settings',
  'impossible-dates',
  'key-order',
  'landed',
  'large-values',
  'late-rows',
  'migrations',
  'misfit-values',
  'new-columns',
  'odd-names',
  'query-sources',
  'range-digests',
  'reconcile',
  'replace',
  'replica',
  'replica-drifts',
  'sql-task',
  'target-keys',
  'zoned-sources',
]

/** The parts of `npm run test:long`, each of which ends within 20 minutes on two processors. */
export const longParts: Readonly<Record<string, readonly string[]>> = {
  simulation: ['test/dray/faults/simulation/{simulation,family,crash-points}.test.ts'],
  mutants: ['test/dray/faults/simulation/mutants.test.ts'],
  'kills-postgres': ['test/dray/faults/kill/kill-postgres.test.ts'],
  'kills-mariadb': ['test/dray/faults/kill/kill-mariadb.test.ts'],
  'kills-replica': ['test/dray/faults/kill/replica.test.ts'],
  'kills-sql-tasks': ['test/dray/faults/kill/sql-tasks.test.ts'],
  [ENGINES_PART]: [
    'test/dray/pipeline/{foreign-keys,float-keys,forgotten-spellings,given-keys,history-stored,history,impossible-dates,key-order}.test.ts',
    'test/dray/pipeline/{odd-names,own-names}.test.ts',
    'test/dray/pipeline/{counters,declared-keys,history-by-source,history-options,late-rows,new-columns,told-rows}.test.ts',
    'test/dray/pipeline/{quarantine-closing,replace,replica,shared-keys,source-and-target,target-keys}.test.ts',
    'test/dray/database/{identity,rewritten-keys,spellings}.test.ts',
    'test/dray/database/postgres/elsewhere.test.ts',
    'test/dray/database/mysql/replication.test.ts',
    'test/dray/active-record/{hostile-values,many-rows,value-matrix}.test.ts',
    'test/dray/local/csv/{kinds,live-types,models,names,real-data}.test.ts',
    'test/dray/faults/command/command.test.ts',
    'test/dray/faults/kill/{processes,rows,server-crash,staged-objects}.test.ts',
    'test/dray/faults/proxy/proxy.test.ts',
    'test/dray/faults/fuzz/*.test.ts',
    'test/dray/faults/hostile-tables/hostile-tables.test.ts',
    'test/dray/faults/silent-losses*.test.ts',
    'test/dray/pipeline/{capacity,deletes,large-values,migrations,reconcile}.test.ts',
    'test/dray/cli/{large-values,left-files,run-chinook,run-lineage,run-warehouses}.test.ts',
    'test/dray/{aws/quotas,states-language/broken-states,workflow/java}.test.ts',
  ],
  [MYSQL_PART]: [
    'test/dray/database/*.test.ts',
    'test/dray/database/mysql/*.test.ts',
    'test/dray/active-record/{active-record,bytes,many-rows,schema-drift}.test.ts',
    'test/dray/active-record/hostile-values.test.ts',
    'test/dray/active-record/naughty-strings.test.ts',
    'test/dray/add/odd-tables.test.ts',
    'test/dray/doctor/doctor.test.ts',
    'test/dray/docs/active-record.test.ts',
    `test/dray/pipeline/{${DIFFERENT_ON_MYSQL.join()}}.test.ts`,
    'test/dray/cli/run-warehouses.test.ts',
    'test/dray/local/csv/{kinds,live-types}.test.ts',
    'test/dray/faults/kill/{processes,rows,server-crash}.test.ts',
    'test/dray/faults/silent-losses*.test.ts',
  ],
  [MORE_ON_MYSQL_PART]: [
    `test/dray/pipeline/!(${DIFFERENT_ON_MYSQL.join('|')}).test.ts`,
    'test/dray/local/csv/{import,models,names,real-data}.test.ts',
    'test/dray/faults/kill/{kill-mariadb,replica,sql-tasks,staged-objects}.test.ts',
    'test/dray/faults/proxy/proxy.test.ts',
  ],
  [CLOUD_PART]: ['test/dray/cloud/*.test.ts'],
  'hostile-tables': ['test/dray/faults/hostile-tables/hostile-tables.test.ts'],
  replicas: ['test/dray/pipeline/replica-shapes/replica-shapes.test.ts'],
  'hostile-values': ['test/dray/active-record/hostile-values.long.ts'],
  'project-replaced': ['test/dray/projects/replaced.long.ts'],
  'project-grown': ['test/dray/projects/grown.long.ts'],
  'project-hundreds': ['test/dray/projects/hundreds.long.ts'],
}
