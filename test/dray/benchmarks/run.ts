import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { activeRecord } from './active-record.ts'
import { asOnAws } from './as-on-aws.ts'
import { stopServers } from './databases.ts'
import { growth } from './growth.ts'
import { importTime } from './import-time.ts'
import { incremental } from './incremental.ts'
import { interpreter } from './interpreter.ts'
import { progress, type Result } from './measure.ts'
import { mysqlBesideMariadb } from './mysql-beside-mariadb.ts'
import { peers, peersOfMysql } from './peers.ts'
import { pipelines } from './pipeline.ts'
import { tableOf } from './report.ts'

/*
 * `npm run bench [-- --only <group> --rows <n> --json]`: what is fast is held against something else, in the same run.
 */

interface Group {
  /** Where `--rows` says nothing; 0: it has no rows. */
  readonly rows: number
  measure(rows: number): Promise<Result[]>
}

const groups: Readonly<Record<string, Group>> = {
  'active-record': { rows: 200_000, measure: activeRecord },
  pipeline: { rows: 300_000, measure: pipelines },
  aws: { rows: 300_000, measure: asOnAws },
  mysql: { rows: 100_000, measure: mysqlBesideMariadb },
  interpreter: { rows: 0, measure: interpreter },
  incremental: { rows: 0, measure: incremental },
  import: { rows: 0, measure: importTime },
  growth: { rows: 10_000_000, measure: growth },
  peers: { rows: 1_000_000, measure: peers },
  'peers-mysql': { rows: 1_000_000, measure: peersOfMysql },
}

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true }, rows: { type: 'string' }, json: { type: 'boolean' } },
})
process.exitCode = await main()

async function main(): Promise<number> {
  const names = values.only ?? Object.keys(groups)
  const unknown = names.find((name) => !(name in groups))
  const rows = values.rows === undefined ? null : Number(values.rows)
  if (unknown !== undefined || (rows !== null && !(Number.isSafeInteger(rows) && rows >= 1_000))) {
    progress(`--only is one of ${Object.keys(groups).join(', ')}; --rows is a number, 1000 or more.`)
    return 2
  }
  const results: Result[] = []
  try {
    for (const name of names) {
      const group = groups[name] as Group
      progress(`${name}: ${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`)
      results.push(...(await group.measure(rows ?? group.rows)))
    }
  } finally {
    await stopServers()
  }
  process.stdout.write(values.json ? `${JSON.stringify({ results }, null, 2)}\n` : `${tableOf(results)}\n`)
  return 0
}
