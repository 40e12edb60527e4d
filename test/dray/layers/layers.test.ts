import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { behindContracts, circles, dangling, isFramework, misplaced, roomOf, trespassing, upward } from './faults.ts'
import { importsOf, root, sourceFiles } from './imports.ts'
import { rooms } from './rooms.ts'

const files = sourceFiles()
const imports = importsOf(files)

/** What the rules say of one file with these lines. */
function ofFile(file: string, ...lines: readonly string[]) {
  return importsOf([file], () => lines.join('\n'))
}

describe('the house', () => {
  test('is read whole: its imports lead to files of its own or to packages', () => {
    assert.ok(imports.length > 2 * files.length)
    assert.deepEqual(dangling(imports, new Set(files)), [])
  })

  test('has no import circle, type imports included', () => {
    assert.deepEqual(circles(imports), [])
  })

  test('has layers: each room imports only the rooms that the list gives it', () => {
    assert.deepEqual(upward(imports), [])
  })

  test('has a list of layers with every room, no other, and no circle', () => {
    const standing = new Set(files.flatMap((file) => roomOf(file) ?? []))
    const arrows = Object.entries(rooms).flatMap(([file, others]) =>
      others.map((target) => ({ file, source: target, target })),
    )

    assert.deepEqual(Object.keys(rooms).sort(), [...standing].sort())
    assert.deepEqual(circles(arrows), [])
  })

  test('keeps implementations behind their contracts', () => {
    assert.deepEqual(behindContracts(imports), [])
  })

  test('keeps packages in the rooms that are theirs', () => {
    assert.deepEqual(misplaced(imports), [])
  })

  test('has two owners: the framework imports nothing of the user, the user nothing of it but its face', () => {
    assert.deepEqual(trespassing(imports), [])
  })
})

describe('the rules of the house', () => {
  test('refuse an arrow that is turned, a type import as well', () => {
    const turned = ofFile('shared/dray/block/block.ts', "import type { Adapter } from '#dray/database/adapter.ts'")

    assert.deepEqual(upward(turned), [
      'shared/dray/block/block.ts imports shared/dray/database/adapter.ts: dray/block may not import dray/database',
    ])
  })

  test('see a circle of two files, however they import each other', () => {
    const one = ofFile('shared/dray/block/block.ts', "export * from './copy-text.ts'")
    const other = ofFile(
      'shared/dray/block/copy-text.ts',
      `const { block } = await import(${"'#dray/block/block.ts'"})`,
    )

    assert.deepEqual(circles([...one, ...other]), [
      ['shared/dray/block/block.ts', 'shared/dray/block/copy-text.ts', 'shared/dray/block/block.ts'],
    ])
  })

  for (const line of [
    "import { plan } from 'dray/internal/pipeline/stages/plan.ts'",
    "import { plan } from 'dray/pipeline/stages/plan.ts'",
    "import { plan } from '../../shared/dray/pipeline/stages/plan.ts'",
    "import { findPipeline } from '#functions/dray/find-pipeline.ts'",
    "import { startPostgres } from '../../test/dray/services/postgres.ts'",
    "import { main } from 'dray-infra/internal/cli/main.ts'",
  ]) {
    test(`refuse in a file of the user's: ${line}`, () => {
      assert.equal(trespassing(ofFile('functions/items/pipeline.ts', line)).length, 1)
    })
  }

  for (const [file, line] of [
    ['infra/dray/cli/run.ts', "import { project } from '../../project.ts'"],
    ['shared/dray/pipeline/stages/plan.ts', "import { items } from '../../../../functions/items/pipeline.ts'"],
    ['functions/dray/plan.ts', "import { Item } from '#models/items.ts'"],
  ] as const) {
    test(`refuse in ${file}: ${line}`, () => {
      assert.equal(trespassing(ofFile(file, line)).length, 1)
    })
  }

  test('allow a user what the framework is for', () => {
    const lines = [
      "import { pipeline } from 'dray'",
      "import { Item } from '#models/items.ts'",
      "import { sum } from './sum.ts'",
    ]

    assert.deepEqual(trespassing(ofFile('functions/items/pipeline.ts', ...lines)), [])
    assert.equal(isFramework('functions/items/pipeline.ts'), false)
  })

  test('refuse the CDK, middy and drivers outside of their rooms', () => {
    const lines = [
      "import { App } from 'aws-cdk-lib'",
      "import middy from '@middy/core'",
      "import { Client } from 'pg'",
    ]

    assert.equal(misplaced(ofFile('shared/dray/pipeline/stages/plan.ts', ...lines)).length, 3)
  })
})

describe('a deep import of the framework, dray/pipeline/declare/pipeline.ts,', () => {
  const source = "import { pipeline } from 'dray/pipeline/declare/pipeline.ts'\nexport const made = pipeline\n"
  let folder: string
  let file: string
  before(async () => {
    await mkdir(join(root, 'test/dray/layers/deep'), { recursive: true })
    folder = await mkdtemp(join(root, 'test/dray/layers/deep/'))
    file = join(folder, 'deep.ts')
    await writeFile(file, source)
  })
  after(() => rm(join(root, 'test/dray/layers/deep'), { recursive: true, force: true }))

  test('fails in Node', async () => {
    await assert.rejects(import(file), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
  })

  test('fails in tsc', async () => {
    const config = join(folder, 'tsconfig.json')
    await writeFile(config, JSON.stringify({ extends: join(root, 'shared/dray/tsconfig.json'), files: [file] }))
    const tsc = promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['-p', config])

    await assert.rejects(tsc, (error: { stdout?: string }) =>
      /TS2307: Cannot find module 'dray\/pipeline/.test(error.stdout ?? ''),
    )
  })

  test('fails in esbuild', async () => {
    const bundled = build({ entryPoints: [file], bundle: true, write: false, platform: 'node', logLevel: 'silent' })

    await assert.rejects(bundled, /Could not resolve "dray\/pipeline\/declare\/pipeline\.ts"/)
  })
})
