import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../../..')
const SECTIONS = '## More kinds of loads'

/** Code without its comments, line breaks and spaces. */
function bare(code: string): string {
  return code.replaceAll(/\/\/.*$/gm, '').replaceAll(/\s+/g, '')
}

test('the examples of more kinds of loads in docs/pipelines.md stand in tests that run them', async () => {
  const page = await readFile(join(root, 'docs/pipelines.md'), 'utf8')
  const sections = page.slice(page.indexOf(SECTIONS)).split(/^## /m)[1] ?? ''
  const tests: string[] = []
  for await (const file of glob('test/dray/{pipeline,local}/**/*.test.ts', { cwd: root })) {
    tests.push(bare(await readFile(join(root, file), 'utf8')))
  }
  for (const [, code = ''] of sections.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) {
    assert.ok(
      tests.some((text) => text.includes(bare(code))),
      `no test has this example:\n${code}`,
    )
  }
})
