import type { Replica, TableOverride } from 'dray/internal/pipeline/declare/replica.ts'
import { importLine, quotedText } from './literals.ts'
import type { ModelsFile } from './models-file.ts'

export interface ReplicaText {
  readonly replica: Replica
  readonly constant: string
  /** Of the databases. */
  readonly files: { readonly from: ModelsFile; readonly into: ModelsFile }
  /** The function by which tables are named, as it is written. */
  readonly naming: string
  readonly overrides: Readonly<Record<string, TableOverride>>
}

/** The declaration: what is as it is by default is not said. */
export function replicaText({ replica, constant, files, naming, overrides }: ReplicaText): string {
  const { name, tables, cursor } = replica
  const keys = Object.entries(overrides).flatMap(([table, { key }]) =>
    key === undefined ? [] : [`    ${quotedText(table)}: { key: ${listText([key].flat())} },\n`],
  )
  const lines = [
    `  from: ${files.from.database},\n`,
    ...(tables.length === 1 && tables[0] === '*' ? [] : [`  tables: ${listText(tables)},\n`]),
    `  into: ${files.into.database},\n`,
    `  name: ${naming},\n`,
    ...(cursor.length === 0 ? [] : [`  cursor: ${listText(cursor)},\n`]),
    ...(keys.length === 0 ? [] : [`  overrides: {\n${keys.join('')}  },\n`]),
  ]
  const models = [...new Set([files.into, files.from])]
    .sort((one, other) => (one.specifier < other.specifier ? -1 : 1))
    .map((file) => importLine([file.database], file.specifier))
  return `${importLine(['replicate'], 'dray')}${models.join('')}
export const ${constant} = replicate(${quotedText(name)}, {
${lines.join('')}})
`
}

function listText(items: readonly string[]): string {
  const [only] = items
  return items.length === 1 && only !== undefined ? quotedText(only) : `[${items.map(quotedText).join(', ')}]`
}

/** One of its three Lambdas, which work on every table. */
export function handlerText(stage: 'extract' | 'transform' | 'load', constant: string): string {
  return `${importLine([`${stage}Handler`], 'dray/lambda')}${importLine([constant], './pipeline.ts')}
export const handler = ${stage}Handler(${constant})
`
}
