import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fixtureFolder } from '#test/fixture-project.ts'
import { startDray, temporaryHome } from './dray-process.ts'

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, string | number | boolean>>
}

interface Job {
  readonly needs?: string
  readonly if?: string
  readonly environment?: string
  readonly 'runs-on': string
  readonly 'timeout-minutes': number
  readonly permissions: Readonly<Record<string, string>>
  readonly steps: readonly Step[]
}

interface Workflow {
  readonly on: { readonly pull_request: object; readonly push: { readonly branches: readonly string[] } }
  readonly permissions: object
  readonly jobs: Readonly<Record<string, Job>>
}

/** The parser that the CDK CLI has with it. */
const yaml: { parse(text: string, options: object): unknown } = createRequire(
  createRequire(import.meta.url).resolve('aws-cdk/package.json'),
)('yaml')

/** The fixture with environments that are not in the order of their deployment; YAML 1.1 takes a name for a boolean. */
const PROJECT = `import { project as fixture } from '${join(fixtureFolder, 'infra/project.ts')}'
const environment = { databases: {}, expected: {} }
export const project = {
  ...fixture,
  environments: { 'prod-eu': { ...environment, region: 'eu-north-1' }, on: environment, staging: environment },
}
`

describe('dray new ci', () => {
  const { home, remove } = temporaryHome()
  const folder = mkdtempSync(join(tmpdir(), 'dray-new-'))
  const file = join(folder, '.github/workflows/deploy.yml')
  const run = (...args: string[]) => startDray(home, ['new', 'ci', ...args], {}, folder).ended
  const parsed = () => yaml.parse(readFileSync(file, 'utf8'), { strict: true }) as Workflow
  let printed: string
  before(async () => {
    mkdirSync(join(folder, 'infra'))
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
    writeFileSync(join(folder, 'infra/project.ts'), PROJECT)
    execFileSync('git', ['init', '--quiet'], { cwd: folder })
    execFileSync('git', ['remote', 'add', 'origin', 'git@github.com:acme/data-warehouse.git'], { cwd: folder })
    const { code, stdout, stderr } = await run()
    assert.equal(code, 0, stderr)
    printed = stdout
  })
  after(() => {
    remove()
    rmSync(folder, { recursive: true })
  })

  test('deploys what is pushed to main to one environment after the other, production last', () => {
    const { on, jobs } = parsed()
    const deployments = Object.entries(jobs).filter(([name]) => name.startsWith('deploy-'))

    assert.deepEqual(on.push, { branches: ['main'] })
    assert.deepEqual(
      deployments.map(([name, { needs, environment }]) => [name, needs, environment]),
      [
        ['deploy-on', 'check', 'on'],
        ['deploy-staging', 'deploy-on', 'staging'],
        ['deploy-prod-eu', 'deploy-staging', 'prod-eu'],
      ],
    )
    for (const [, job] of deployments) {
      assert.equal(job.if, "github.event_name == 'push'")
      assert.equal(job.steps.at(-1)?.run, `npx dray deploy ${job.environment} --require-approval never`)
    }
  })

  test('signs in with a role of each use and environment, and where it is deployed', () => {
    const { jobs } = parsed()
    const signedIn = Object.values(jobs).flatMap(({ steps }) =>
      steps.filter(({ uses }) => uses?.startsWith('aws-actions/configure-aws-credentials@')),
    )

    const role = (variable: string) => `\${{ vars.${variable} }}`
    const region = role('AWS_REGION')
    assert.deepEqual(
      signedIn.map(({ with: inputs }) => inputs),
      ['DIFF', 'DEPLOY'].flatMap((use) => [
        { 'role-to-assume': role(`AWS_${use}_ROLE_ON`), 'aws-region': region },
        { 'role-to-assume': role(`AWS_${use}_ROLE_STAGING`), 'aws-region': region },
        { 'role-to-assume': role(`AWS_${use}_ROLE_PROD_EU`), 'aws-region': 'eu-north-1' },
      ]),
    )
  })

  test('compares each environment, of pull requests from the repository itself alone', () => {
    const { diff } = parsed().jobs

    assert.equal(
      diff?.if,
      "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository",
    )
    assert.deepEqual(
      diff?.steps.flatMap(({ run: line }) => (line?.includes('dray diff') ? [line] : [])),
      ['on', 'staging', 'prod-eu'].map(
        (name) => `npx dray diff ${name} -- --method template 2>&1 | tee dray-diff/${name}.txt`,
      ),
    )
  })

  test('gives each job what it needs of GitHub, and comments where no code of the project runs', () => {
    const { permissions, jobs } = parsed()

    assert.deepEqual(permissions, {})
    const signsIn = { contents: 'read', 'id-token': 'write' }
    assert.deepEqual(Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.permissions])), {
      check: { contents: 'read' },
      diff: signsIn,
      comment: { 'pull-requests': 'write' },
      'deploy-on': signsIn,
      'deploy-staging': signsIn,
      'deploy-prod-eu': signsIn,
    })
    assert.ok(jobs.comment?.steps.every(({ run: line, uses }) => line === undefined && !uses?.includes('checkout')))
  })

  test('is a workflow that GitHub takes: jobs that there are, pinned actions, lines that a shell can read', () => {
    const { jobs } = parsed()

    for (const [name, job] of Object.entries(jobs)) {
      assert.match(name, /^[A-Za-z_][\w-]*$/)
      assert.ok(job.needs === undefined || Object.hasOwn(jobs, job.needs), `${name} needs ${job.needs}`)
      assert.equal(job['runs-on'], 'ubuntu-latest')
      assert.ok(job['timeout-minutes'] > 0)
      for (const { uses, run: line } of job.steps) {
        assert.equal(Number(uses === undefined) + Number(line === undefined), 1)
        if (uses !== undefined) assert.match(uses, /^(?:actions|aws-actions)\/[\w-]+@v\d+$/)
        if (line !== undefined) execFileSync('bash', ['-n', '-c', line])
      }
    }
    const contexts = [...readFileSync(file, 'utf8').matchAll(/\$\{\{ ?(.*?) ?\}\}/g)].map(
      ([, expression]) => expression,
    )
    assert.ok(contexts.length > 0)
    for (const expression of contexts) assert.match(expression ?? '', /^(?:github|vars)\./)
    assert.doesNotMatch(readFileSync(file, 'utf8'), /secrets\.|AWS_SECRET_ACCESS_KEY/)
  })

  test('comments once on a pull request, and writes over it after the next push', async () => {
    const script = parsed().jobs.comment?.steps.at(-1)?.with?.script
    const AsyncFunction = (async () => {}).constructor as new (
      ...code: string[]
    ) => (...given: unknown[]) => Promise<void>
    const comment = new AsyncFunction('github', 'context', 'require', String(script))
    const comments = [{ id: 1, body: '<!-- dray diff --> quoted', user: { login: 'somebody' } }]
    const issues = {
      listComments: () => comments,
      createComment: async ({ body }: { body: string }) =>
        comments.push({ id: comments.length + 1, body, user: { login: 'github-actions[bot]' } }),
      updateComment: async ({ comment_id: id, body }: { comment_id: number; body: string }) =>
        Object.assign(comments.find((one) => one.id === id) ?? {}, { body }),
    }
    const github = { rest: { issues }, paginate: async (list: () => unknown) => list() }
    const context = {
      ...{ serverUrl: 'https://github.com', runId: 7, issue: { number: 3 } },
      repo: { owner: 'acme', repo: 'data-warehouse' },
    }
    const diffs: Record<string, string> = {
      on: '[+] a ```` b',
      staging: `${'x'.repeat(90_000)}\nWhat stands costs 9.70 US dollars a month, 3.20 more than now, without <b>`,
      'prod-eu': '[-] c',
    }
    const required = () => ({
      readFile: async (path: string) => diffs[path.slice('dray-diff/'.length, -'.txt'.length)],
    })

    await comment(github, context, required)
    const first = comments[1]?.body ?? ''
    await comment(github, context, () => ({ readFile: async () => 'nothing' }))

    assert.match(
      first,
      /^<!-- dray diff -->[\s\S]*\/acme\/data-warehouse\/actions\/runs\/7[\s\S]*\n`{5}\n\[\+\] a ```` b\n`{5}\n/,
    )
    assert.match(first, /<summary>prod-eu<\/summary>\n\n```\n\[-\] c\n```/)
    assert.match(first, /<summary>staging: what stands costs 9\.70 US dollars a month, 3\.20 more than now<\/summary>/)
    assert.ok(first.length < 65_536)
    assert.equal(comments.length, 2)
    assert.doesNotMatch(comments[1]?.body ?? '', /\[\+\] a/)
  })

  test('says whom the roles have to trust, in the repository that Git knows, and which variables are missing', () => {
    assert.match(printed, /^\.github\/workflows\/deploy\.yml is written\.$/m)
    assert.match(printed, /^ +AWS_DEPLOY_ROLE_PROD_EU {2}repo:acme\/data-warehouse:environment:prod-eu$/m)
    assert.match(printed, /^ +AWS_DIFF_ROLE_ON {2}repo:acme\/data-warehouse:pull_request$/m)
    assert.match(printed, /^ +gh variable set AWS_REGION --repo acme\/data-warehouse /m)
  })

  test('leaves a file that is as it would be written', async () => {
    const { code, stdout } = await run('--json')

    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(stdout), {
      version: 1,
      file: '.github/workflows/deploy.yml',
      written: false,
      environments: ['on', 'staging', 'prod-eu'],
    })
  })

  test('leaves a file that differs, and writes over it with --force', async () => {
    const made = readFileSync(file, 'utf8')
    writeFileSync(file, 'name: mine\n')

    const refused = await run()
    const kept = readFileSync(file, 'utf8')
    const forced = await run('--force')

    assert.deepEqual([refused.code, refused.stdout, kept], [2, '', 'name: mine\n'])
    assert.match(refused.stderr, /^dray: \.github\/workflows\/deploy\.yml is there and differs.*--force.*\n$/)
    assert.equal(forced.code, 0)
    assert.equal(readFileSync(file, 'utf8'), made)
  })

  for (const [what, message, ...args] of [
    ['an unknown file', /^dray: unknown command 'cd'\. Did you mean ci\?/, 'new', 'cd'],
    ['an argument too many', /^dray: too many arguments for 'ci'/, 'new', 'ci', 'gitlab'],
    ['an unknown option', /^dray: unknown option '--forse'\. Did you mean --force\?/, 'new', 'ci', '--forse'],
  ] as const) {
    test(`refuses ${what} in one line`, async () => {
      const { code, stdout, stderr } = await startDray(home, args, {}, folder).ended

      assert.match(stderr, message)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
      assert.deepEqual([code, stdout], [2, ''])
    })
  }
})
