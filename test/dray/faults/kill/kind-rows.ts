import { type Observer, speechOf } from './engines.ts'
import { GONE, MENDED, SKIPPED } from './models.ts'
import { digestOf, rowsByText } from './rows.ts'

/**
 * What the target must hold for each code, each row of the source having its own; by digests that the source's server
 * works out.
 */
export async function dueByCode(
  source: Observer,
  isRepaired = false,
  below: string | null = null,
): Promise<Map<string, string>> {
  const label = isRepaired ? `coalesce(label, '${MENDED}')` : 'label'
  const chosen = below === null ? '' : ` and amount < ${below}`
  const good = `${label} is not null and ${label} not in ('${SKIPPED}', '${GONE}') and amount >= 0${chosen}`
  return rowsByText(source, `select code, ${digestOfItem(source, label)} from item where ${good}`)
}

/** The digests of good rows that have been stamped since. */
export async function dueSince(source: Observer, since: string): Promise<string[]> {
  const good = `label is not null and label <> '${SKIPPED}' and amount >= 0`
  const rows = await source.run(
    `select ${digestOfItem(source, 'label')} from item where ${good} and changed_at >= ${speechOf(source).literal(since)}`,
  )
  return rows.map(([digest]) => digest as string)
}

function digestOfItem(source: Observer, label: string): string {
  const note = source.engine === 'postgres' ? "'n:' || note" : "concat('n:', note)"
  return digestOf(source, { label, note, sourceId: 'id' })
}

/** How often each row is in a table of the target. */
export async function timesLanded(target: Observer, table: 'event' | 'version'): Promise<Map<string, number>> {
  const digest = digestOf(target, { label: 'label', note: 'note', sourceId: 'source_id' })
  const counts = await rowsByText(
    target,
    `select ${digest}, ${speechOf(target).text('count(*)')} from ${table} group by 1`,
  )
  return new Map([...counts].map(([row, times]) => [row, Number(times)]))
}

/** The current versions of the history, by code. */
export function currentVersions(target: Observer): Promise<Map<string, string>> {
  const digest = digestOf(target, { label: 'label', note: 'note', sourceId: 'source_id' })
  return rowsByText(target, `select code, ${digest} from version where valid_to is null`)
}

/**
 * Versions of one thing that hold at the same time, that end before they begin, or that say two things of their end.
 */
export async function brokenVersions(target: Observer): Promise<number> {
  const together =
    'select a.code from version a join version b on a.code = b.code and a.valid_from < b.valid_from and (a.valid_to is null or a.valid_to > b.valid_from)'
  const alone = 'select code from version where valid_to < valid_from or is_current <> (valid_to is null)'
  const sql = `select count(*) from (${together} union all ${alone}) as broken`
  return Number((await target.run(sql))[0]?.[0])
}

/** Versions that do not end where the next one of their code begins, or have an end though none follows. */
export async function versionsApart(target: Observer): Promise<number> {
  const next = 'lead(valid_from) over (partition by code order by valid_from)'
  const sql = `select count(*) from (select valid_to, ${next} as following from version) as v where following is null and valid_to is not null or following is not null and (valid_to is null or valid_to <> following)`
  return Number((await target.run(sql))[0]?.[0])
}

/** The runs under which partitions with rows have landed; one that finds nothing new lands an empty one. */
export async function landingRuns(target: Observer): Promise<string[]> {
  return (await target.run('select distinct run_id from dray_ledger where rows_read > 0')).map(([run]) => run as string)
}
