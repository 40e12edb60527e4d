import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { StepRecord } from 'dray/internal/state/state-store.ts'
import { count, oneLine } from './format.ts'

/** Refused again; so many reasons are said. */
const MOST_REASONS = 5

interface Replayed {
  readonly id: string
  readonly steps: readonly StepRecord[]
  readonly tables?: readonly StepRecord[]
}

/** What has become of the rows that a replay has sent, a line for each pipeline. */
export async function replayedText(
  { id, steps, tables = [] }: Replayed,
  staging: StagingStore,
  pasted: (command: string) => string,
): Promise<string[]> {
  const sent = [...steps, ...tables].filter(({ read, tables: its }) => read > 0 && its === undefined)
  return Promise.all(
    sent.map(async (step) => {
      const said = [
        [step.inserted + step.updated, 'loaded'],
        [step.unchanged, 'not written, since the target has the same row or a newer one'],
        [step.filtered, 'left out by the transform'],
        [step.duplicate, 'older than another one that was sent'],
        [step.quarantined, `refused again${await reasonsText(step, id, staging)}`],
      ] as const
      const parts = said.filter(([rows]) => rows > 0).map(([rows, what]) => `${count(rows)} ${what}`)
      const next =
        step.quarantined > 0
          ? `; \`${pasted(`dray quarantine show ${id}`)}\` shows them, and a usual run reads what the source says now`
          : ''
      return `  ${step.step}: of ${count(step.read)} sent again ${parts.join(', ')}${next}`
    }),
  )
}

/** Why a replay has refused rows again, with how many, by step: `{ orders: { 'name bad': 1 } }`. */
export async function refusedAgain(
  { id, steps, tables = [] }: Replayed,
  staging: StagingStore,
): Promise<Record<string, Record<string, number>>> {
  const refusing = [...steps, ...tables].filter(({ quarantined, tables: its }) => quarantined > 0 && its === undefined)
  const found = await Promise.all(
    refusing.map(async (step) => [step.step, Object.fromEntries(await reasonsOf(step, id, staging))] as const),
  )
  return Object.fromEntries(found)
}

async function reasonsOf({ step, quarantined }: StepRecord, run: string, staging: StagingStore) {
  if (quarantined === 0) return []
  const { quarantinedRows } = await import('dray/internal/pipeline/quarantine/kept-rows.ts')
  const { summaries } = await import('dray/internal/pipeline/quarantine/summaries.ts')
  const [found] = await summaries([quarantinedRows(staging, step, { run })])
  return [...(found?.reasons.all ?? [])]
}

async function reasonsText(step: StepRecord, run: string, staging: StagingStore): Promise<string> {
  const all = await reasonsOf(step, run, staging)
  const said = all.slice(0, MOST_REASONS).map(([reason, rows]) => `${reason} ${rows}`)
  const more = all.length > MOST_REASONS ? ' and others' : ''
  return said.length === 0 ? '' : ` (${oneLine(said.join(', '))}${more})`
}
