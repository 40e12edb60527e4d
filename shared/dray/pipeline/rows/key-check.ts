import { bulkColumns } from '#dray/active-record/bulk.ts'
import { columnOf } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { canonicalText } from '#dray/pipeline/texts/canonical.ts'

/** Deletes go by the source's keys, and this row has another one in the target. */
export class KeyChanged extends TerminalError {}

/**
 * Makes the check of a row and what it became: deletes compare the keys of the source with those of the target, so a
 * transform must take them over as they are. Null where nothing relies on it.
 */
export function keyCheck(pipeline: Pipeline): ((row: readonly Text[], texts: readonly Text[]) => void) | null {
  const { deletes, extract, load } = pipeline
  if (deletes.kind === 'ignore') return null
  const columns = bulkColumns(load.target.definition)
  const pairs = deletes.key.map((name, place) => {
    const source = columnOf(extract.source.definition, name)
    const target = columnOf(load.target.definition, deletes.by[place] ?? '')
    return { source, target, at: columns.indexOf(target) }
  })
  return (row, texts) => {
    for (const { source, target, at } of pairs) {
      const [given, made] = [row[source.index] ?? null, texts[at] ?? null]
      if (given === made || canonicalText(source, given) === canonicalText(target, made)) continue
      throw new KeyChanged(
        `${pipeline.name}: the transform makes ${target.name} ${made} of ${source.name} ${given}, so deletes: '${deletes.kind}' would delete rows that the source has, and nothing was loaded; take the key over as it is, name the fields that are it (deletes: { key: … }), or leave deletes out`,
      )
    }
  }
}
