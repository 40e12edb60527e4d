import type { OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder, decodeBlock } from '#dray/block/copy-text.ts'
import { startOfUnit, unitOfType } from '#dray/pipeline/texts/instant.ts'
import type { HistoryLayout } from './history-layout.ts'

/** Cuts the start of a run to what the table's columns hold, whole seconds for one; null where they hold all of it. */
export async function cutToHeld({
  database,
  pipeline,
  fields,
}: HistoryLayout): Promise<((text: string) => string) | null> {
  const { definition } = pipeline.load.target
  const unit = await database.withConnection(async (connection, adapter) => {
    if (!adapter.schema.enforcesTypes) return 1n
    const columns = (await connection.describe(definition.table))?.columns ?? []
    const units = [fields.validFrom, fields.validTo].map((field) => {
      const name = definition.byName.get(field)?.column
      return unitOfType(columns.find((column) => column.name === name)?.type ?? '', adapter)
    })
    return units.sort((one, other) => Number(other - one))[0] ?? 1n
  })
  return unit === 1n ? null : (text) => startOfUnit(text, unit)
}

/** The rows, whose versions begin at a moment that the table holds. */
export function withHeldMoments(layout: HistoryLayout, open: OpenBlocks, cut: (text: string) => string): OpenBlocks {
  return async function* () {
    const encoder = new BlockEncoder()
    for await (const block of open()) {
      for (const row of decodeBlock(block)) {
        const held: Text[] = [...row]
        const from = held[layout.from] ?? null
        held[layout.from] = from === null ? null : cut(from)
        const full = encoder.push(held)
        if (full !== null) yield full
      }
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
}
