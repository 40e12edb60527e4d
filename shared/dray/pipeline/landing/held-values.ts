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
    if (adapter.schema.liveTypes === null) return 1n
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
  return withTexts(open, [layout.from], cut)
}

const SINGLE = /^float/i

/**
 * The rows with their keys as the table holds them: a FLOAT of 0.1 is another number, and is only found by that one. A
 * number that it would round stays, and is refused.
 */
export async function withHeldKeys(layout: HistoryLayout, open: OpenBlocks): Promise<OpenBlocks> {
  const doubles = layout.by.filter((column) => column.field.settings.kind === 'double')
  if (doubles.length === 0) return open
  const { table } = layout.pipeline.load.target.definition
  return layout.database.withConnection(async (connection, { floatDigits }) => {
    if (floatDigits === null) return open
    const live = (await connection.describe(table))?.columns ?? []
    const isSingle = (name: string) => live.some((column) => column.name === name && SINGLE.test(column.type))
    const places = doubles.filter(({ column }) => isSingle(column)).map((column) => layout.columns.indexOf(column))
    return places.length === 0 ? open : withTexts(open, places, (text) => heldSingle(text, floatDigits))
  })
}

function heldSingle(text: string, digits: number): string {
  const held = Math.fround(Number(text))
  return Number(held.toPrecision(digits)) === Number(text) ? String(held) : text
}

function withTexts(open: OpenBlocks, places: readonly number[], hold: (text: string) => string): OpenBlocks {
  return async function* () {
    const encoder = new BlockEncoder()
    for await (const block of open()) {
      for (const row of decodeBlock(block)) {
        const held: Text[] = [...row]
        for (const place of places) {
          const text = held[place] ?? null
          held[place] = text === null ? null : hold(text)
        }
        const full = encoder.push(held)
        if (full !== null) yield full
      }
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
}
