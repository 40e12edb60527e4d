import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import { mappingOf } from '#dray/pipeline/declare/copy-fields.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import type { ReplicatedTable } from '#dray/pipeline/rows/replicated-table.ts'

/** A column on its way, with the type that it has on a side. */
interface Side {
  readonly adapter: Adapter
  readonly column: ColumnDefinition
  readonly type: string
}

/**
 * Whether the rows of a table may go into the target as they were read: where the text of each column is on both sides
 * the same for the same value, nothing has to be taken apart. Columns of the target alone are NULL. Where columns hold
 * anything, each row is looked at.
 */
export async function bytesPass(
  { extract, transform, load }: Pipeline,
  { masked, mark }: ReplicatedTable,
  schema: PlannedSchema,
): Promise<boolean> {
  const [from, into] = [await extract.source.database.adapter(), await load.target.database.adapter()]
  const mapping = mappingOf(transform)
  const written = bulkColumns(load.target.definition)
  const { columns } = extract.source.definition
  if (from.schema.liveTypes === null || mapping === null) return false
  const ofTarget = new Set([...masked, ...(mark === null ? [] : [mark])].map(({ name }) => name))
  const others = written.slice(columns.length)
  if (others.length !== ofTarget.size || !others.every(({ name }) => ofTarget.has(name))) return false
  return written.slice(0, columns.length).every((column, place) => {
    const source = columns[place]
    const type = schema.source.find(({ name }) => name === source?.column)?.type
    const there = schema.target.find(({ name }) => name === column.column)?.type
    if (source === undefined || source.name !== mapping[column.name]) return false
    if (type === undefined || there === undefined) return false
    return areAlike({ adapter: from, column: source, type }, { adapter: into, column, type: there })
  })
}

const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar', 'json', 'uuid'])

/** Whether a field would write a value as the source has it, for each value that the target takes. */
function areAlike(source: Side, target: Side): boolean {
  const { schema, isImpossibleMoment, instantsNeedOffset, stampForm } = source.adapter
  if (schema === target.adapter.schema && source.adapter.alter.isSame(source.type, target.type)) return true
  const [kind, other] = [source.column.field.settings.kind, target.column.field.settings.kind]
  if (TEXTS.has(kind)) return TEXTS.has(other)
  if (kind !== other) return false
  const holdsAny = target.adapter.schema.liveTypes === null
  switch (kind) {
    case 'integer':
    case 'bigint':
    case 'decimal':
      return !/zerofill/i.test(source.type)
    case 'binary':
      return true
    case 'date':
      return !holdsAny || isImpossibleMoment === null
    case 'timestamp':
      return !holdsAny && (!instantsNeedOffset || stampForm(source.type) === 'local')
    case 'double':
      return !holdsAny
    default:
      return false
  }
}
