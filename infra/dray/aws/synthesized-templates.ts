import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CostedTemplate } from './monthly-cost.ts'

interface Manifest {
  readonly artifacts?: Readonly<
    Record<string, { readonly type: string; readonly properties?: { readonly templateFile?: string } }>
  >
}

interface NestingTemplate extends CostedTemplate {
  readonly Resources?: Readonly<
    Record<
      string,
      {
        readonly Type: string
        readonly Properties?: Readonly<Record<string, unknown>>
        readonly Metadata?: Readonly<Record<string, unknown>>
      }
    >
  >
}

/**
 * The stacks that the CDK has synthesized into a folder, with their templates and the nested ones; null where the
 * folder has none, or has them from before a time, in ms since 1970.
 */
export async function synthesizedTemplates(
  folder: string,
  since: number,
): Promise<{ readonly stacks: readonly string[]; readonly templates: readonly CostedTemplate[] } | null> {
  const file = join(folder, 'manifest.json')
  const written = await stat(file).catch(() => null)
  if (written === null || written.mtimeMs < since) return null
  const { artifacts = {} } = JSON.parse(await readFile(file, 'utf8')) as Manifest
  const files = Object.entries(artifacts).flatMap(([stack, { type, properties }]) =>
    type === 'aws:cloudformation:stack' && properties?.templateFile !== undefined
      ? [{ stack, file: properties.templateFile }]
      : [],
  )
  const templates = await Promise.all(files.map((one) => withNested(folder, one.file)))
  return { stacks: files.map(({ stack }) => stack), templates: templates.flat() }
}

async function withNested(folder: string, file: string): Promise<CostedTemplate[]> {
  const template = JSON.parse(await readFile(join(folder, file), 'utf8')) as NestingTemplate
  const nested = Object.values(template.Resources ?? {}).flatMap(({ Type, Metadata }) => {
    const path = Metadata?.['aws:asset:path']
    return Type === 'AWS::CloudFormation::Stack' && typeof path === 'string' ? [path] : []
  })
  return [template, ...(await Promise.all(nested.map((path) => withNested(folder, path)))).flat()]
}
