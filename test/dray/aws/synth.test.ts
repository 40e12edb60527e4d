import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { fixtureFolder } from '#test/fixture-project.ts'

const run = promisify(execFile)

describe('cdk synth', () => {
  let folder: string
  let made: Awaited<ReturnType<typeof synth>>
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-synth-'))
    made = await synth({})
  })
  after(() => rm(folder, { recursive: true, force: true }))

  /** What the CLI runs, in an environment without an account, a region or credentials. */
  const synth = async (context: object) => {
    const { context: flags } = JSON.parse(await readFile(join(fixtureFolder, 'cdk.json'), 'utf8')) as {
      context: object
    }
    await run(process.execPath, [join(packageFolder, 'aws/app.ts')], {
      cwd: fixtureFolder,
      env: {
        PATH: process.env.PATH,
        CDK_OUTDIR: folder,
        CDK_CONTEXT_JSON: JSON.stringify({ ...flags, ...context }),
      },
    })
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as {
      artifacts: Record<string, { type: string }>
      missing?: unknown
    }
    const stacks = Object.entries(manifest.artifacts).filter(([, { type }]) => type === 'aws:cloudformation:stack')
    return { names: stacks.map(([name]) => name), missing: manifest.missing }
  }

  test('makes every environment offline, without a look-up', async () => {
    const { names, missing } = made

    assert.deepEqual(names.sort(), ['Dray-dev', 'Dray-prod'])
    assert.equal(missing, undefined)
  })

  test('bundles once what both environments run', async () => {
    const codeIn = async (stack: string) => {
      const { Resources } = JSON.parse(await readFile(join(folder, `${stack}.template.json`), 'utf8')) as {
        Resources: Record<string, { Properties: { Description?: string; Code?: { S3Key?: string } } }>
      }
      const functions = Object.values(Resources).filter(({ Properties }) =>
        /^functions\//.test(Properties?.Description ?? ''),
      )
      return functions.map(({ Properties }) => `${Properties.Description} ${Properties.Code?.S3Key}`).sort()
    }
    const [dev, prod] = await Promise.all([codeIn('Dray-dev'), codeIn('Dray-prod')])

    assert.equal(dev?.length, 12)
    assert.deepEqual(dev, prod)
  })

  test('refuses an environment that there is not', async () => {
    await assert.rejects(synth({ environment: 'prd' }), /There is no environment prd.*has dev, prod/)
  })
})
