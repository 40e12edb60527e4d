import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CompiledWorkflow } from 'dray/internal/workflow/to-states-language.ts'
import { usedBundle } from '#dray-infra/bundle/kept-bundle.ts'

/** Whether the interpreter has to check the definitions of a workflow, and who is to be told when it has. */
export interface CheckedDefinitions {
  readonly isChecked: boolean
  remember(): void
}

/**
 * What a bundle has once checked, it need not check again: a file beside it says so, and goes with it. Without a bundle
 * the code may be another one each time.
 */
export function checkedDefinitions({ definition, machines }: CompiledWorkflow): CheckedDefinitions {
  const bundle = usedBundle()
  if (bundle === null) return { isChecked: false, remember: () => undefined }
  const all = [definition, ...[...machines.values()].map((machine) => machine.definition)]
  const folder = join(bundle.folder, 'checked')
  const file = join(folder, createHash('sha256').update(JSON.stringify(all)).digest('hex'))
  return {
    isChecked: existsSync(file),
    remember() {
      try {
        mkdirSync(folder, { recursive: true })
        writeFileSync(file, '')
      } catch {
        // The packages may be another user's: it is checked again.
      }
    },
  }
}
