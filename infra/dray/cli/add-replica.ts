import { writeFiles } from '#dray-infra/add/add.ts'
import { diffText } from '#dray-infra/add/diff-text.ts'
import type { NewReplica, PlannedReplica } from '#dray-infra/add/new-replica.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { canAsk, confirmed } from './confirmed.ts'
import { oneLine, plural } from './format.ts'
import { listenForInterrupts } from './interrupts.ts'
import { print, printAsIs } from './output.ts'
import { printJson } from './verb.ts'

/** `dray add sales.'*' --replicate`: one declaration for all tables. */
export async function addReplica(
  asked: NewReplica,
  { json, yes }: { readonly json: boolean; readonly yes?: boolean | undefined },
): Promise<void> {
  const { planReplica } = await import('#dray-infra/add/new-replica.ts')
  const project = await loadProject()
  const interrupts = listenForInterrupts()
  try {
    const plan = await planReplica(project, asked, interrupts.signal)
    const files = plan.changes.list
    if (!json) printAsIs(planText(plan))
    const isWritten = yes === true || (!json && canAsk() && (await confirmed('Write this?')))
    if (isWritten) await writeFiles(plan.changes, project.folder)
    if (json)
      printJson('add', {
        ...document(plan),
        written: isWritten,
        files: files.map(({ path, before }) => ({ path, change: before === null ? 'added' : 'changed' })),
      })
    else print(doneText(plan, isWritten))
  } finally {
    interrupts.stop()
  }
}

function document({ name, tables, refused, notes }: PlannedReplica) {
  return {
    replica: name,
    tables: tables.map(({ step, table, prepared }) => ({
      pipeline: step,
      table,
      target: prepared?.table.target,
      load: prepared?.table.load,
      why: prepared?.table.why,
    })),
    left_out: refused.map(({ table, refused: reason }) => ({ table, reason })),
    notes,
  }
}

function planText({ changes, tables, refused }: PlannedReplica): string {
  const byCursor = tables.filter(({ prepared }) => prepared?.table.cursor !== null).length
  const keyless = tables.filter(({ prepared }) => prepared?.table.load === 'replace').length
  const counts = [
    `${byCursor} by what has changed`,
    `${tables.length - byCursor} whole in each run`,
    ...(keyless === 0 ? [] : [`of which ${keyless} without a key are replaced`]),
  ]
  const lines = [
    ...changes.list.map((change) => diffText(change).trimEnd()),
    '',
    `${plural(tables.length, 'table')}: ${counts.join(', ')}.`,
    ...refused.map(({ table, refused: reason }) => `left out: ${table}: ${oneLine(reason ?? '')}`),
  ]
  return `${lines.join('\n')}\n`
}

function doneText({ name, notes }: PlannedReplica, isWritten: boolean): string {
  if (!isWritten) return 'Nothing was written; add --yes to write it.\n'
  return `${['Wrote the replica.', ...notes, `Next: npx dray plan ${name}, then npx dray run ${name}, and npm test -- --mine.`].join('\n')}\n`
}
