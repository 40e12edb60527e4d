import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Services } from '../services.ts'
import type { Draft } from './draft.ts'
import { cut } from './partitions.ts'
import { checkNullCursors, settledWindow, windowCondition } from './window.ts'

/** The window since `last_run`, or the whole table. */
export async function draftUsual(pipeline: Pipeline, lastRun: string | null, services: Services): Promise<Draft> {
  const { extract } = pipeline
  const { source, cursor } = extract
  return source.database.withConnection(async (connection, adapter) => {
    const window = cursor === null ? null : await settledWindow(extract, lastRun, connection, adapter)
    const nulls = window === null ? null : await checkNullCursors(pipeline.name, extract, connection, adapter)
    const conditions = window === null ? [] : [windowCondition(extract, window, adapter)]
    const { rows, ranges } = await cut(extract, conditions, connection, adapter, services.signal)
    const notes = [window?.note ?? null, nulls].filter((note) => note !== null)
    return { window, rows, partitions: ranges, advances: true, notes }
  })
}
