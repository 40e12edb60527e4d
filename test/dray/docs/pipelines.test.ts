import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { codeOf, readPage, root } from './page.ts'

/** Code without its comments, line breaks and spaces. */
function bare(code: string): string {
  return code.replaceAll(/\/\/.*$/gm, '').replaceAll(/\s+/g, '')
}

async function refuseUntested(sections: string): Promise<void> {
  const tests: string[] = []
  for await (const file of glob('test/dray/{pipeline,local}/**/*.test.ts', { cwd: root })) {
    tests.push(bare(await readFile(join(root, file), 'utf8')))
  }
  for (const code of codeOf(sections)) {
    assert.ok(
      tests.some((text) => text.includes(bare(code))),
      `no test has this example:\n${code}`,
    )
  }
}

test('the examples of more kinds of loads in docs/pipelines.md stand in tests that run them', async () => {
  const page = readPage('docs/pipelines.md')

  await refuseUntested(page.slice(page.indexOf('## More kinds of loads')).split(/^## /m)[1] ?? '')
})

test('the examples of docs/checks.md stand in a test that runs them', async () => {
  const page = readPage('docs/checks.md')

  await refuseUntested(page.slice(0, page.indexOf('## Owners')))
})
