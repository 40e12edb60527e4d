import { isTableStep } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { plural } from './format.ts'

/** The rows of a table without a key, and those of its copy. */
export interface CountedRows {
  readonly source: number
  readonly target: number
}

/** Rows of a replica's table that has no key cannot be told apart, so they are counted alone. */
export function isCountedAlone({ name, extract }: Pipeline): boolean {
  return isTableStep(name) && extract.source.definition.primaryKey.length === 0
}

export async function countedRows({ extract, load }: Pipeline): Promise<CountedRows> {
  const [source, target] = await Promise.all([extract.source.count(), load.target.count()])
  return { source, target }
}

export function countedText({ source, target }: CountedRows): string {
  const counted = `${plural(source, 'row')} in its source, ${plural(target, 'row')} in its copy`
  const why = 'without a key they cannot be compared one by one'
  if (source === target) return `${counted}; ${why}`
  return `${counted}; ${why}: the next run loads all of them again, and \`npx dray quarantine list\` has those that it could not load`
}
