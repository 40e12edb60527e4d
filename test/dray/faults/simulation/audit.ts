import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import type { Reconciliation } from 'dray/internal/pipeline/inspect/reconciliation.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { reloadKeys } from 'dray/internal/pipeline/stages/reload.ts'
import type { MemoryDatabase } from './memory-database.ts'
import type { Row } from './memory-transaction.ts'
import { tableOf } from './models.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'
import { fateOf, folded, isMadeOf, shown } from './source-truth.ts'
import { Divergence } from './witness.ts'

interface Audited {
  readonly scenario: Scenario
  readonly pipeline: Pipeline
  readonly services: Services
  readonly source: MemoryDatabase
  readonly target: MemoryDatabase
  readonly random: Random
  /** Source keys with an open entry in the quarantine. */
  readonly open: ReadonlySet<string>
  lastRun(): string | null
}

/** Reconcile finds every row that is not as it should be and no other, whatever somebody did to the target. */
export async function audit(audited: Audited): Promise<void> {
  await compare(audited, 'when everything had been read')
  damage(audited)
  const found = await compare(audited, 'after rows of the target were damaged')
  const wrong = found.differences.filter(({ kind, sourceKey }) => kind !== 'extra' && !sourceKey?.includes(null))
  if (audited.scenario.shape.load !== 'upsert' || wrong.length === 0) return
  const keys = wrong.map(({ sourceKey }) => [...(sourceKey as string[])])
  await reloadKeys(audited.pipeline, keys, audited.services, () => `reload-${keys.length}`)
  await compare(audited, 'after the rows that differ were loaded again')
}

async function compare(audited: Audited, when: string): Promise<Reconciliation> {
  const found = await reconcile(audited.pipeline, audited.services, { deep: true })
  const said = found.differences.map(({ kind, key }) => `${kind} ${key.code}`).sort()
  const due = differences(audited).sort()
  if (said.join() === due.join()) return found
  throw new Divergence(`${when} reconcile finds [${said.join(', ')}] where there is [${due.join(', ')}]`)
}

/** Of a history the current versions. */
function rowsOfNow({ scenario, target }: Audited): Row[] {
  return target.rows(tableOf(scenario.shape)).filter((row) => (row.valid_to ?? null) === null)
}

function isMarked(row: Row): boolean {
  return (row.deleted_at ?? null) !== null
}

function differences(audited: Audited): string[] {
  const { scenario, source, open, lastRun } = audited
  const { shape } = scenario
  const rows = source.rows('item')
  const targets = new Map(rowsOfNow(audited).map((row) => [row.code ?? '', row]))
  const isRead = ({ changed_at: cursor }: Row) => {
    if (shape.kind === 'full') return true
    return cursor == null ? shape.nulls === 'include' : cursor < (lastRun() ?? '')
  }
  const wrong = rows.flatMap((row) => {
    if (!isRead(row) || !wouldLoad(row, scenario)) return []
    const found = targets.get(row.code ?? '')
    if (found === undefined) return open.has(keyIn(row, shape.table !== undefined)) ? [] : [`missing ${row.code}`]
    return isMadeOf(found, row) && !isMarked(found) ? [] : [`different ${row.code}`]
  })
  const knowsKeys = shape.deletes !== 'ignore' || shape.table !== undefined
  const present = new Set(rows.map(({ code }) => folded(code)))
  const extra = knowsKeys ? [...targets.values()].filter((row) => !isMarked(row) && !present.has(folded(row.code))) : []
  return [...wrong, ...extra.map(({ code }) => `extra ${code}`)]
}

/** Reconcile knows what the transform makes of a row, and nothing of what the target refuses. */
function wouldLoad(row: Row, { repairedAfterSeconds }: Scenario): boolean {
  return ['loaded', 'refused'].includes(fateOf(row, repairedAfterSeconds !== null))
}

/** The key of a source row as the quarantine knows it. */
export function keyIn(row: Readonly<Record<string, string | null>>, isByCode: boolean): string {
  return isByCode ? (row.code ?? '') : `${row.region}/${row.id}`
}

/** Somebody deletes a row, changes one, and adds one. */
function damage(audited: Audited): void {
  const { scenario, target, random } = audited
  const table = tableOf(scenario.shape)
  const rows = rowsOfNow(audited).filter((row) => !isMarked(row))
  const [gone, changed] = [random.integer(0, rows.length), random.integer(0, rows.length)].map((at) => rows[at])
  const transaction = target.begin()
  const where = scenario.shape.load === 'history' ? ' and "valid_to" is null' : ''
  const run = (sql: string, values: (string | null)[]) => {
    const answer = target.execute(transaction, sql, values)
    if (!('rows' in answer)) throw new Divergence(`${sql}: somebody holds ${shown(gone)}`)
  }
  if (gone !== undefined) run(`delete from "${table}" where "code" = $1${where}`, [gone.code ?? null])
  if (changed !== undefined && changed !== gone)
    run(`update "${table}" set "label" = $1 where "code" = $2${where}`, ['wrong', changed.code ?? null])
  if (scenario.shape.load === 'upsert' && random.chance(0.5))
    run(`insert into "${table}" ("code", "label", "changed_at") values ($1, $2, $3)`, ['zz', 'extra', null])
  target.commit(transaction)
}
