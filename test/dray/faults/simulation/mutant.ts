import type { Scenario } from './scenario.ts'

/** A bug seen in another tool, put into the source as replacements of text that must be there once. */
export interface Mutant {
  readonly bug: string
  readonly file: string
  readonly edits: readonly (readonly [find: string | RegExp, replace: string])[]
  /** Edits of a second file, where one place alone would not show. */
  readonly also?: Pick<Mutant, 'file' | 'edits'>
  /** Schedules of a replica are to show it. */
  readonly family?: true
  /** What makes schedules in which the bug shows more common. */
  readonly over?: Partial<Scenario>
  /** Of how many one at least has to catch it, where it is rarely met; 300 by default. */
  readonly schedules?: number
}
