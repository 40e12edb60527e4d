import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'

const project = resolve(import.meta.dirname, '..')
const biome = join(project, 'node_modules/.bin/biome')

/** One file of each folder that has a rule: what it may import, and what the linter has to refuse. */
const rules: Record<string, { allowed: readonly string[]; refused: readonly string[] }> = {
  'shared/active-record/record.ts': {
    allowed: ['./errors.ts', 'pg', 'kysely', './adapters/postgres/index.ts', '#shared/active-record/errors.ts'],
    refused: [
      '#shared/staging/staging-store.ts',
      '#shared/models/crm.ts',
      '../state/state-store.ts',
      '@aws-sdk/client-s3',
    ],
  },
  'shared/active-record/adapters/postgres/adapter.ts': {
    allowed: ['../../adapter.ts', './copy.ts'],
    refused: ['../../../staging/staging-store.ts', '#shared/pipeline/events.ts', '@smithy/types'],
  },
  'shared/cleaning/phone.ts': {
    allowed: ['libphonenumber-js', '#shared/active-record/values.ts'],
    refused: ['#shared/pipeline/events.ts', '@aws-sdk/client-s3'],
  },
  'shared/models/crm.ts': {
    allowed: ['#shared/active-record/database.ts', './sales.ts'],
    refused: [
      '#shared/pipeline/pipeline.ts',
      '#shared/state/state-store.ts',
      '../lambda/handler.ts',
      '@aws-sdk/client-s3',
    ],
  },
  'shared/staging/s3-staging-store.ts': {
    allowed: ['@aws-sdk/client-s3', './staging-store.ts', '#shared/active-record/errors.ts'],
    refused: [
      '#shared/active-record/database.ts',
      '#shared/state/state-store.ts',
      '../pipeline/events.ts',
      '@middy/core',
    ],
  },
  'shared/state/dynamo-state-store.ts': {
    allowed: ['@aws-sdk/lib-dynamodb', './state-store.ts', '#shared/active-record/errors.ts'],
    refused: ['#shared/staging/staging-store.ts', '#shared/pipeline/events.ts', '@middy/core'],
  },
  'shared/pipeline/load.ts': {
    allowed: ['#shared/active-record/adapter.ts', '#shared/staging/staging-store.ts', '#shared/state/state-store.ts'],
    refused: [
      '#shared/staging/s3-staging-store.ts',
      '#shared/state/dynamo-state-store.ts',
      '#shared/models/crm.ts',
      '#shared/workflow/workflow.ts',
      '#shared/lambda/handler.ts',
      '../staging/s3-staging-store.ts',
      '@aws-sdk/client-dynamodb',
    ],
  },
  'shared/workflow/workflow.ts': {
    allowed: ['#shared/pipeline/events.ts', '#shared/active-record/errors.ts', './graph.ts'],
    refused: [
      '#shared/pipeline/pipeline.ts',
      '#shared/state/state-store.ts',
      '#infra/workflows/index.ts',
      'aws-cdk-lib',
    ],
  },
  'shared/triggers/request-run.ts': {
    allowed: ['zod', '#shared/state/state-store.ts', '#shared/state/workflow-slots.ts', './run-request.ts'],
    refused: [
      '#shared/state/dynamodb-workflow-slots.ts',
      '#shared/pipeline/events.ts',
      '#shared/lambda/start.ts',
      '../state/keys.ts',
      '@aws-sdk/client-sfn',
    ],
  },
  'shared/lambda/handler.ts': {
    allowed: [
      '@middy/core',
      '@aws-lambda-powertools/logger',
      '#shared/pipeline/load.ts',
      '#shared/staging/staging-url.ts',
    ],
    refused: ['#functions/orders/pipeline.ts', '#infra/local/home.ts', '#test/services/postgres.ts'],
  },
  'functions/orders/pipeline.ts': {
    allowed: ['#shared/pipeline/pipeline.ts', '#shared/models/sales.ts', '#shared/cleaning/phone.ts'],
    refused: [
      '#shared/lambda/handler.ts',
      '#shared/staging/staging-store.ts',
      '../customers/pipeline.ts',
      '#functions/customers/pipeline.ts',
      '#infra/local/home.ts',
      '@aws-sdk/client-s3',
      '@middy/core',
    ],
  },
  'functions/orders/extract.ts': {
    allowed: ['./pipeline.ts', '#shared/lambda/handler.ts'],
    refused: ['../customers/pipeline.ts', '#functions/customers/pipeline.ts', '@middy/core', '#infra/local/home.ts'],
  },
  'infra/local/runner.ts': {
    allowed: [
      '#shared/lambda/handler.ts',
      '#functions/orders/pipeline.ts',
      '#infra/workflows/index.ts',
      '@aws-sdk/client-s3',
    ],
    refused: ['@middy/core', 'aws-cdk-lib', 'aws-cdk-lib/aws-s3', 'constructs', '#test/services/postgres.ts'],
  },
  'infra/aws/stack.ts': {
    allowed: [
      'aws-cdk-lib',
      'constructs',
      '#infra/workflows/index.ts',
      '#shared/workflow/workflow.ts',
      '#functions/control/find-pipeline.ts',
    ],
    refused: ['#functions/orders/extract.ts', '#shared/lambda/handler.ts', '@middy/core'],
  },
}

describe('the linter', () => {
  let folder: string
  let findings: ReadonlyMap<string, readonly string[]>

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-import-rules-'))
    await cp(join(project, 'biome.json'), join(folder, 'biome.json'))
    for (const [file, { allowed, refused }] of Object.entries(rules)) {
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), [...allowed, ...refused].map((source) => `import '${source}'\n`).join(''))
    }
    findings = await lint(folder)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  for (const [file, { allowed, refused }] of Object.entries(rules)) {
    test(`refuses in ${file} each import that it may not have, and no other`, () => {
      const lines = [...allowed, ...refused]

      const found = findings.get(file) ?? []

      assert.deepEqual(found.map((line) => lines[Number(line) - 1]).sort(), [...refused].sort())
    })
  }
})

/** The lines of each file on which the linter refuses an import. */
async function lint(cwd: string): Promise<Map<string, string[]>> {
  const options = [
    'lint',
    '--vcs-enabled=false',
    '--only=style/noRestrictedImports',
    '--reporter=json',
    '--max-diagnostics=none',
    '.',
  ]
  const output = await new Promise<string>((done) =>
    execFile(biome, options, { cwd }, (_error, stdout) => done(stdout)),
  )
  const report = JSON.parse(output) as {
    diagnostics: { category: string; location: { path: string; start: { line: number } } }[]
  }
  const found = new Map<string, string[]>()
  for (const { category, location } of report.diagnostics) {
    assert.equal(category, 'lint/style/noRestrictedImports')
    found.set(location.path, [...(found.get(location.path) ?? []), `${location.start.line}`])
  }
  return found
}
