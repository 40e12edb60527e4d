import { allFailed, jsonata } from './expressions.ts'
import type { State } from './states-language.ts'
import type { Onward } from './task-policy.ts'

/**
 * Where an error leads that ends a branch or an item, though the states in it catch theirs: the other steps of the
 * workflow go on, and Finish learns of these.
 */
export function lostState(steps: readonly string[], onward: Onward): State {
  return { Type: 'Pass', Output: { run: jsonata('$states.input.run'), steps: allFailed(steps) }, ...onward }
}
