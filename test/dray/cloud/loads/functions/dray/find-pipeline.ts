import type { Pipeline, Replica } from 'dray'
import { TerminalError } from 'dray'

type Unit = Pipeline | Replica

function isUnit(value: unknown, name: string): value is Unit {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    (value.kind === 'pipeline' || value.kind === 'replica') &&
    'name' in value &&
    value.name === name
  )
}

/**
 * The pipeline of a name, or the replica of a table's: what `functions/<name>/pipeline.ts` exports. A bundler takes in
 * every such file.
 */
export async function findPipeline(name: string): Promise<Unit> {
  const [folder = ''] = name.split('/', 1)
  if (/^[a-z][a-z0-9-]*$/.test(folder)) {
    const module: Record<string, unknown> = await import(`../${folder}/pipeline.ts`)
    const found = Object.values(module).find((value) => isUnit(value, folder))
    if (found !== undefined) return found as Unit
  }
  throw new TerminalError(
    `functions/${folder}/pipeline.ts exports no pipeline('${folder}', …) and no replicate('${folder}', …), so ${name} cannot be run; name it after its folder`,
  )
}
