import { type Checked, found } from '#dray/database/health.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import { attempt } from './attempt.ts'

/** Holds a model against its live table, as Plan does: each difference is a line. */
export async function differences(model: AnyModel, side: 'source' | 'target'): Promise<readonly Checked[]> {
  const where = `${model.definition.database}.${model.definition.table}`
  return attempt(side, where, async () => {
    const all = await model.checkSchema()
    if (all.length === 0) return [found(side, 'ok', `${where} fits its model`)]
    return all.map(({ kind, message }) => found(kind === 'missing_table' ? `no ${side}` : side, 'broken', message))
  })
}
