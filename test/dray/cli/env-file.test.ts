import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { writeProject } from '#test/services/small-project.ts'
import { startDray, temporaryHome } from './dray-process.ts'

const SECRET = 'tiger-of-the-file'

const project = writeProject({
  'infra/project.ts': `import { defineProject } from 'dray-infra'
import { run, workflow } from 'dray/workflow'
const nightly = workflow('nightly', { steps: [run({ kind: 'pipeline', name: 'orders' })] })
export const project = defineProject({ workflows: [nightly], environments: {}, databases: { shop: { embedded: 'sqlite' } }, main: nightly })
`,
  '.env': `# Of this machine alone.\nSHOP_DATABASE_URL="oracle://scott:${SECRET}@host/db"\n`,
})
const { home, remove } = temporaryHome()
const run = (environment: NodeJS.ProcessEnv = {}) => startDray(home, ['run'], environment, project.folder).ended

describe('a file .env in the project', () => {
  after(() => {
    project.remove()
    remove()
  })

  it('sets variables of the command, whose values are never printed', async () => {
    const { code, stdout, stderr } = await run()

    assert.match(stderr, /^dray: SHOP_DATABASE_URL is not the URL of a database/)
    assert.equal(code, 2)
    assert.doesNotMatch(stdout + stderr, new RegExp(SECRET))
  })

  it('does not replace what the environment sets', async () => {
    const { stderr } = await run({ SHOP_DATABASE_URL: 'postgres://u:p#ss@host/db' })

    assert.match(stderr, /^dray: SHOP_DATABASE_URL holds a character that has a meaning in URLs/)
  })

  it('is refused in one line where it cannot be read', { skip: process.getuid?.() === 0 }, async () => {
    chmodSync(join(project.folder, '.env'), 0)
    const { code, stderr } = await run()

    assert.match(stderr, /\.env cannot be read \(EACCES\), .* remove it\.\n$/)
    assert.equal(code, 2)
  })
})

describe('on Windows', () => {
  it('the command refuses in one sentence and names WSL', async () => {
    const asWindows = `--import=data:text/javascript,${encodeURIComponent("Object.defineProperty(process, 'platform', { value: 'win32' })")}`

    const { code, stdout, stderr } = await startDray(home, ['run'], { NODE_OPTIONS: asWindows }).ended

    assert.match(stderr, /^dray: Dray does not run on Windows itself, so nothing was done; run it in WSL: [^\n]*\n$/)
    assert.equal(stdout, '')
    assert.equal(code, 2)
  })
})
