import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
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

    assert.deepEqual(
      names.sort(),
      ['Dray-dev', 'Dray-prod'].flatMap((name) => [name, `${name}-pipelines`, `${name}-workflows`]),
    )
    assert.equal(missing, undefined)
  })

  test('bundles once what both environments run', async () => {
    const files = (await readdir(folder)).filter((file) => file.endsWith('.template.json'))
    const codeIn = async (environment: string) => {
      const own = files.filter((file) => file.replace('-', '').startsWith(`Dray${environment}`))
      const templates = await Promise.all(
        own.map(async (file) => JSON.parse(await readFile(join(folder, file), 'utf8'))),
      )
      const resources = templates.flatMap(({ Resources }) => Object.values(Resources)) as {
        readonly Type: string
        readonly Properties: { readonly Description: string; readonly Code: { readonly S3Key: string } }
      }[]
      const functions = resources.filter(({ Type }) => Type === 'AWS::Lambda::Function')
      return functions.map(({ Properties }) => `${Properties.Description} ${Properties.Code.S3Key}`).sort()
    }
    const [dev, prod] = await Promise.all([codeIn('dev'), codeIn('prod')])

    assert.equal(dev?.length, 18)
    assert.deepEqual(dev, prod)
  })

  test('refuses an environment that there is not', async () => {
    await assert.rejects(synth({ environment: 'prd' }), /There is no environment prd.*here are dev, prod/)
  })
})
