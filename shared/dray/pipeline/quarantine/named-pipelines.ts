import { isTableStep, unitOf } from '#dray/messages/step-name.ts'

/** Those of the known pipelines that a name means: a replica's tables, or the pipeline itself. */
export function pipelinesOf(name: string, known: readonly string[]): readonly string[] {
  const tables = known.filter((one) => isTableStep(one) && unitOf(one) === name)
  return tables.length > 0 ? tables : [name]
}
