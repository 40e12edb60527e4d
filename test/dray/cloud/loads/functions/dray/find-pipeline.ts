import type { Pipeline } from 'dray'
import { TerminalError } from 'dray'

function isPipeline(value: unknown, name: string): value is Pipeline {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'pipeline' &&
    'name' in value &&
    value.name === name
  )
}

/** The pipeline of a name: what `functions/<name>/pipeline.ts` exports. A bundler takes in every such file. */
export async function findPipeline(name: string): Promise<Pipeline> {
  if (/^[a-z][a-z0-9-]*$/.test(name)) {
    const module: Record<string, unknown> = await import(`../${name}/pipeline.ts`)
    const found = Object.values(module).find((value) => isPipeline(value, name))
    if (found !== undefined) return found as Pipeline
  }
  throw new TerminalError(
    `functions/${name}/pipeline.ts exports no pipeline('${name}', …), so it cannot be run; name the pipeline after its folder`,
  )
}
