import { existsSync, readdirSync, statSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { haveFolder } from '#dray-infra/project/made-folder.ts'
import { comparedFiles, frameworkParts, mergedFiles, templateOf } from '#dray-infra/upgrade/framework-parts.ts'
import { importLine } from './literals.ts'
import { kebabCase } from './names.ts'

/** What npm and the commands make. */
const LEFT = new Set(['node_modules', '.dray', 'cdk.out'])

/**
 * Writes a project without an example: the framework of this one, and a workflow with a first step. Returns its folder.
 * Throws `Configuration` where the folder holds something.
 */
export async function newProject(folder: string, from: string): Promise<string> {
  const to = resolve(folder)
  if (existsSync(to) && statSync(to).isDirectory() && readdirSync(to).length > 0) {
    throw new ConfigurationError(`${to} is not empty, so nothing was written; name a folder that is not there yet.`)
  }
  if (to.startsWith(`${resolve(from)}/`)) {
    throw new ConfigurationError(
      `${to} lies in another project, ${from}, so nothing was written; name a folder beside it, as ../${basename(to)}.`,
    )
  }
  const name = kebabCase(basename(to))
  haveFolder(to)
  for (const part of frameworkParts) await copyPart(join(from, part), join(to, part))
  for (const file of [...mergedFiles, ...comparedFiles]) {
    await writeFile(join(to, file), await readFile(join(from, templateOf(file)), 'utf8'))
  }
  await nameIt(to, name, from)
  for (const [path, text] of Object.entries(ownFiles(name))) {
    await mkdir(dirname(join(to, path)), { recursive: true })
    await writeFile(join(to, path), text)
  }
  return to
}

async function copyPart(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return
  await cp(from, to, { recursive: true, filter: (path) => !LEFT.has(basename(path)) })
}

/** The manifest, and the lock file, which says of each package the same as that of the project it comes from. */
async function nameIt(to: string, name: string, from: string): Promise<void> {
  const manifest = { name, version: '0.1.0', private: true, ...(await jsonOf(join(to, 'package.json'))) }
  await writeJson(join(to, 'package.json'), manifest)
  if (!existsSync(join(from, 'package-lock.json'))) return
  const lock = await jsonOf(join(from, 'package-lock.json'))
  const { type: _type, imports: _imports, scripts: _scripts, private: _private, ...locked } = manifest as Json
  const packages = { ...(lock.packages as Json), '': locked }
  await writeJson(join(to, 'package-lock.json'), { ...lock, name, version: '0.1.0', packages })
}

type Json = Record<string, unknown>

async function jsonOf(file: string): Promise<Json> {
  return JSON.parse(await readFile(file, 'utf8'))
}

function writeJson(file: string, value: unknown): Promise<void> {
  return writeFile(file, `${JSON.stringify(value, null, 2)}\n`)
}

/** What is the user's. */
function ownFiles(name: string): Readonly<Record<string, string>> {
  return {
    'README.md': `# ${name}

The pipelines of a data warehouse, built with Dray: docs/tutorial.md leads through a first one, docs/cookbook.md has recipes. They are added from tables that a database has:

\`\`\`sh
npm ci
read -rsp 'URL of sales: ' SALES_DATABASE_URL && export SALES_DATABASE_URL
npx dray add sales.orders
npx dray run
npm run check
\`\`\`
`,
    'shared/models/warehouse.ts': `${importLine(['database'], 'dray')}
export const warehouse = database('warehouse')
`,
    'functions/warehouse-check/task.ts': `${importLine(['task'], 'dray')}${importLine(['warehouse'], '#models/warehouse.ts')}
/** Asks the warehouse for an answer: the first step, until pipelines are added and this folder is deleted. */
export const warehouseCheck = task('warehouse-check', async ({ signal }) => {
  const { rows } = await warehouse.query('select 1', [], { signal })
  return { read: rows.length }
})
`,
    'functions/warehouse-check/run.ts': `${importLine(['taskHandler'], 'dray/lambda')}${importLine(['warehouseCheck'], './task.ts')}
export const handler = taskHandler(warehouseCheck)
`,
    'infra/workflows/nightly.ts': `${importLine(['cron', 'run', 'workflow'], 'dray/workflow')}${importLine(['warehouseCheck'], '#functions/warehouse-check/task.ts')}
/** Every night. */
export const nightly = workflow('nightly', {
  steps: [run(warehouseCheck)],
  schedule: cron('0 2 * * *', { timezone: 'UTC' }),
})
`,
    'infra/environments.ts': `${ENVIRONMENT_IMPORT}
/** Where the project is deployed: \`npx dray deploy dev\`. docs/deploy.md tells the fields and their defaults. */
export const environments: Record<string, EnvironmentOptions> = {
  dev: {
    databases: {
      warehouse: { engine: 'postgres', secret: '/dray/dev/warehouse/url' },
    },
    expected: { nightly: { successWithin: '3d' } },
  },
}
`,
    'infra/project.ts': `${importLine(['defineProject'], 'dray-infra')}${importLine(['environments'], './environments.ts')}${importLine(['nightly'], './workflows/nightly.ts')}
export const project = defineProject({
  workflows: [nightly],
  environments,
  databases: {
    warehouse: { embedded: 'postgres' },
  },
  main: nightly,
})
`,
  }
}

const ENVIRONMENT_IMPORT = "import type { EnvironmentOptions } from 'dray-infra'\n"
