import { type AddedTable, keyOf } from './added-table.ts'
import { comment, importLine, quotedText } from './literals.ts'

export interface ModelFiles {
  /** `#models/sales.ts` */
  readonly source: string
  readonly target: string
}

/** `pipeline.ts` of a table. */
export function pipelineText(added: AddedTable, files: ModelFiles): string {
  const { constant, pipeline, source, target, fields, reading } = added
  const extract = reading.kind === 'fullLoad' ? 'fullLoad' : 'changedSince'
  const names = ['copyFields', extract, 'pipeline', added.load, ...(usesXid(added) ? ['xid'] : [])].sort()
  const properties = fields.map(({ property }) => `    ${property}: '${property}',\n`).join('')
  return `${importLine(names, 'dray')}${importsOf(added, files)}
${comment(about(added))}export const ${constant} = pipeline('${pipeline}', {
  extract: ${extractText(added)},
  transform: copyFields(${source.className}, {
${properties}  }),
  load: ${added.load}(${target.className}${loadOptions(added)}),
})
`
}

function usesXid({ reading }: AddedTable): boolean {
  return reading.kind === 'changedSince' && reading.isXid
}

function importsOf({ source, target }: AddedTable, files: ModelFiles): string {
  const lines = [
    [files.source, source.className],
    [files.target, target.className],
  ] as const
  if (files.source === files.target) {
    return importLine([source.className, target.className].sort(), files.source)
  }
  return [...lines]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([file, name]) => importLine([name], file))
    .join('')
}

function about({ source, reading, load }: AddedTable): string {
  const what = `Rows of ${source.database}.${source.table}`
  if (reading.kind === 'changedSince') return `${what} that changed since the last run.`
  const key = load === 'replace' ? ' They have no key, so they replace those of the run before.' : ''
  return `${what}, all of them in each run: ${reading.reason}.${key}`
}

function extractText({ source, reading }: AddedTable): string {
  if (reading.kind === 'fullLoad') return `fullLoad(${source.className})`
  const cursor = reading.isXid ? `xid('${reading.cursor}')` : `'${reading.cursor}'`
  return `changedSince(${source.className}, { cursor: ${cursor} })`
}

function loadOptions(added: AddedTable): string {
  if (added.load === 'replace') return added.isEmpty ? ', { allowEmpty: true }' : ''
  const names = keyOf(added).map(({ property }) => quotedText(property))
  const by = names.length === 1 ? names[0] : `[${names.join(', ')}]`
  const version = added.reading.kind === 'changedSince' ? `, version: '${added.reading.cursor}'` : ''
  return `, { by: ${by}${version} }`
}

/** `extract.ts`, `transform.ts` and `load.ts`: each is a Lambda. */
export function handlerText(stage: 'extract' | 'transform' | 'load', constant: string): string {
  return `${importLine([`${stage}Handler`], 'dray/lambda')}${importLine([constant], './pipeline.ts')}
export const handler = ${stage}Handler(${constant})
`
}
