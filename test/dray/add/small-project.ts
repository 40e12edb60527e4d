import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { type Ended, startDray } from '#test/cli/dray-process.ts'

const root = resolve(import.meta.dirname, '../../..')
const run = promisify(execFile)

/** An import that is none of this file. */
const use = (names: string, from: string) => `import ${names} from '${from}'\n`

const FILES: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    name: 'small',
    private: true,
    type: 'module',
    imports: { '#models/*': './shared/models/*', '#functions/*': './functions/*' },
  }),
  'tsconfig.json': JSON.stringify({
    extends: join(root, 'shared/dray/tsconfig.json'),
    include: ['functions', 'infra', 'shared'],
  }),
  'biome.json': JSON.stringify({
    extends: [join(root, 'shared/dray/biome.json')],
    root: true,
    files: { includes: ['**/*.ts', '!functions/dray'] },
  }),
  'shared/models/shop.ts': `${use(`{ database, text }`, 'dray')}
export const shop = database('shop')

export class SourceSetting extends shop.source('settings', {
  name: text().primaryKey(),
  value: text().nullable(),
}) {}
`,
  'shared/models/lake.ts': `${use(`{ database, text }`, 'dray')}
export const lake = database('lake')

export class TargetSetting extends lake.table('setting', {
  name: text().primaryKey(),
  value: text().nullable(),
}) {}
`,
  'functions/settings/pipeline.ts': `${use(`{ copyFields, fullLoad, pipeline, upsert }`, 'dray')}${use(`{ TargetSetting }`, '#models/lake.ts')}${use(`{ SourceSetting }`, '#models/shop.ts')}
export const settings = pipeline('settings', {
  extract: fullLoad(SourceSetting),
  transform: copyFields(SourceSetting, { name: 'name', value: 'value' }),
  load: upsert(TargetSetting, { by: 'name' }),
})
`,
  ...Object.fromEntries(
    ['extract', 'transform', 'load'].map((stage) => [
      `functions/settings/${stage}.ts`,
      `import { ${stage}Handler } from 'dray/lambda'
${use(`{ settings }`, './pipeline.ts')}
export const handler = ${stage}Handler(settings)
`,
    ]),
  ),
  'infra/workflows/nightly.ts': `${use(`{ run, workflow }`, 'dray/workflow')}${use(`{ settings }`, '#functions/settings/pipeline.ts')}
export const nightly = workflow('nightly', {
  steps: [run(settings)],
})
`,
  'infra/environments.ts': `${use(`type { EnvironmentOptions }`, 'dray-infra')}
export const environments: Record<string, EnvironmentOptions> = {
  dev: {
    databases: {
      shop: { engine: 'mysql', secret: '/dray/dev/shop/url' },
      lake: { engine: 'postgres', secret: '/dray/dev/lake/url' },
    },
    expected: { nightly: { successWithin: '3d' } },
  },
}
`,
  'infra/project.ts': `${use(`{ defineProject }`, 'dray-infra')}${use(`{ environments }`, './environments.ts')}${use(`{ nightly }`, './workflows/nightly.ts')}
export const project = defineProject({
  workflows: [nightly],
  environments,
  databases: { shop: { embedded: 'sqlite' }, lake: { embedded: 'sqlite' } },
  main: nightly,
})
`,
}

/** A project with one pipeline, beside the packages of this one. */
export interface SmallProject {
  readonly folder: string
  dray(args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<Ended>
  /** What the compiler and the linter say; empty where nothing is wrong. */
  check(): Promise<string>
  /** Runs the tests of these pipelines. Throws with what they print when one fails. */
  test(...pipelines: readonly string[]): Promise<string>
  remove(): Promise<void>
}

export async function smallProject(): Promise<SmallProject> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-add-'))
  await chmod(folder, 0o755)
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  await cp(join(root, 'functions/dray'), join(folder, 'functions/dray'), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const command = (name: string, ...args: string[]) =>
    run(join(folder, 'node_modules/.bin', name), args, { cwd: folder }).then(
      () => '',
      ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}${stderr}`,
    )
  return {
    folder,
    dray: (args, environment = {}) => startDray(join(folder, '.dray'), args, environment, folder).ended,
    check: async () =>
      (await command('tsc', '-p', folder)) +
      (await command('biome', 'check', '--error-on-warnings', 'functions', 'infra', 'shared')),
    async test(...pipelines) {
      const files = pipelines.map((name) => `functions/${name}/pipeline.test.ts`)
      return (await run(process.execPath, ['--test', '--test-reporter=tap', ...files], { cwd: folder, env: without() }))
        .stdout
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A test runner in a test runner would report to it. */
function without(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env
  return rest
}
