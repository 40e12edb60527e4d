import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Checked, found } from 'dray/internal/database/health.ts'

/** The files of a step that are Lambdas, and what makes each of them a handler. */
const stages = [
  ['extract.ts', 'extractHandler'],
  ['transform.ts', 'transformHandler'],
  ['load.ts', 'loadHandler'],
] as const
const files = { pipeline: stages, replica: stages, table: stages, task: [['run.ts', 'taskHandler']] } as const

/** The folder of a step, and whether its handlers are there, can be imported, and are of this step. */
export async function examineHandlers(
  folder: string,
  { kind, name, of = name }: { readonly kind: keyof typeof files; readonly name: string; readonly of?: string },
): Promise<readonly Checked[]> {
  const place = `functions/${of}`
  if (!existsSync(join(folder, place))) {
    const said = `a workflow runs ${name}, and there is no folder ${place}, so the step would fail; make it, or take run(${name}) out of the workflow`
    return [found('folder', 'broken', said)]
  }
  const faults = await Promise.all(
    files[kind].map(([file, maker]) => faultOf(folder, `${place}/${file}`, maker, `${kind} ${name}`)),
  )
  return faults.flatMap((fault) => (fault === null ? [] : [found('handler', 'broken', fault)]))
}

async function faultOf(folder: string, file: string, maker: string, unit: string): Promise<string | null> {
  const path = join(folder, file)
  const remedy = `write there: export const handler = ${maker}(…)`
  if (!existsSync(path)) return `${file} is not there, a Lambda of the ${unit}, so the step would fail; ${remedy}`
  const text = readFileSync(path, 'utf8')
  const other = [...text.matchAll(/\b(extract|transform|load|task)Handler\(/g)].find(([call]) => call !== `${maker}(`)
  if (other !== undefined && !text.includes(`${maker}(`))
    return `${file} makes its handler by ${other[1]}Handler(), so it would do another stage's work; ${remedy}`
  const [, elsewhere] = /from '(?:\.\.|#functions)\/([^/']+)\/(?:pipeline|task)\.ts'/.exec(text) ?? []
  if (elsewhere !== undefined)
    return `${file} imports ${elsewhere}, so the ${unit} would do the work of that; import it from './${maker === 'taskHandler' ? 'task' : 'pipeline'}.ts'`
  try {
    const module: Record<string, unknown> = await import(pathToFileURL(path).href)
    return 'handler' in module ? null : `${file} exports no handler, so Lambda would find none; ${remedy}`
  } catch (error) {
    return `${file} cannot be imported, so the step would fail: ${importFault(error)}; correct the import`
  }
}

/** An error of an import in one line, without the paths of Node's own. */
export function importFault(error: unknown): string {
  const { message } = error as Error
  return message.split('\n')[0]?.replace(/\.$/, '') ?? ''
}
