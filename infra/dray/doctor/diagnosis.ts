import type { Checked } from 'dray/internal/database/health.ts'

/** What was found of one thing: `machine`, `project`, `database shop`, `pipeline orders`. */
export interface Section {
  readonly subject: string
  readonly checks: readonly Checked[]
}

export interface Diagnosis {
  readonly environment: string
  readonly sections: readonly Section[]
  readonly seconds: number
}

/** Whether a run would work, as far as was seen; warnings are no illness. */
export function isHealthy({ sections }: Pick<Diagnosis, 'sections'>): boolean {
  return !sections.some(({ checks }) => checks.some(({ verdict }) => verdict === 'broken'))
}
