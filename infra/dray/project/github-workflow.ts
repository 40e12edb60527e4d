import { isProduction } from './environments.ts'

/** An environment, as far as a workflow names it. */
interface Named {
  readonly name: string
  /** Unset: where the variable `AWS_REGION` of the repository says. */
  readonly region?: string | undefined
}

/** Where GitHub looks for it. */
export const WORKFLOW_FILE = '.github/workflows/deploy.yml'

/** What a comment may hold is 65,536 characters. */
const LONGEST_COMMENT = 60_000

/** The variables of the repository that name the roles: `AWS_DIFF_ROLE_DEV`, `AWS_DEPLOY_ROLE_DEV`. */
export function roleVariable(use: 'DIFF' | 'DEPLOY', environment: string): string {
  return `AWS_${use}_ROLE_${environment.toUpperCase().replaceAll('-', '_')}`
}

/** In the order of their deployments: production last, and else as they are declared. */
export function inDeploymentOrder<E extends Named>(environments: readonly E[]): readonly E[] {
  const production = environments.filter(({ name }) => isProduction(name))
  return [...environments.filter((environment) => !production.includes(environment)), ...production]
}

/**
 * The workflow of GitHub Actions that checks each pull request, comments what it would change in each environment, and
 * deploys what is pushed to main: one environment after the other, in the given order, signed in by OIDC.
 */
export function githubWorkflow(environments: readonly Named[]): string {
  return `# Made by \`npx dray new ci\`, and yours to change. docs/deploy.md, "From GitHub", says which roles and variables it needs.
name: deploy

on:
  pull_request:
    branches: [main]
  push:
    branches: [main]

# A push to a pull request ends what works on the one before; a deployment is never ended.
concurrency:
  group: deploy-\${{ github.event.pull_request.number || github.run_id }}
  cancel-in-progress: \${{ github.event_name == 'pull_request' }}

permissions: {}

defaults:
  run:
    shell: bash

jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read
    steps:
${project}
      - run: npm run check
        env:
          # Suites of the framework that want a server which is not here are skipped: docs/ci.md.
          CI: 'false'

  # What the code of a pull request can do with AWS is what the roles for diffs may: read templates.
  diff:
    if: github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      contents: read
      id-token: write
    steps:
${project}
      - run: mkdir dray-diff
${environments.map(diffSteps).join('\n')}
      - uses: actions/upload-artifact@v6
        with:
          name: dray-diff
          path: dray-diff
          retention-days: 1

  # Apart from the job before: no code of the pull request runs where comments can be written.
  comment:
    needs: diff
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      pull-requests: write
    steps:
      - uses: actions/download-artifact@v7
        with:
          name: dray-diff
          path: dray-diff
      - uses: actions/github-script@v8
        with:
          script: |
${commentScript(environments.map(({ name }) => name))}

${environments.map((environment, place) => deployJob(environment, environments[place - 1])).join('\n\n')}
`
}

const project = `      - uses: actions/checkout@v5
        with:
          persist-credentials: false
      - uses: actions/setup-node@v5
        with:
          node-version: 24
          cache: npm
      - run: npm ci`

function signIn(use: 'DIFF' | 'DEPLOY', { name, region }: Named): string {
  return `      - uses: aws-actions/configure-aws-credentials@v6
        with:
          role-to-assume: \${{ vars.${roleVariable(use, name)} }}
          aws-region: ${region ?? `\${{ vars.AWS_REGION }}`}`
}

function diffSteps(environment: Named): string {
  const { name } = environment
  return `${signIn('DIFF', environment)}
      - run: npx dray diff ${name} -- --method template 2>&1 | tee dray-diff/${name}.txt
        env:
          NO_COLOR: '1'`
}

function deployJob(environment: Named, before: Named | undefined): string {
  const { name } = environment
  return `  deploy-${name}:
    needs: ${before === undefined ? 'check' : `deploy-${before.name}`}
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    timeout-minutes: 60
    environment: '${name}'
    concurrency: deploy-${name}
    permissions:
      contents: read
      id-token: write
    steps:
${project}
${signIn('DEPLOY', environment)}
      - run: npx dray deploy ${name} --require-approval never`
}

/** Writes the diffs into one comment, and over it after each push. */
function commentScript(names: readonly string[]): string {
  return `            const { readFile } = require('node:fs/promises')
            const marker = '<!-- dray diff -->'
            const environments = [${names.map((name) => `'${name}'`).join(', ')}]
            const longest = Math.floor(${LONGEST_COMMENT} / environments.length)
            const log = \`\${context.serverUrl}/\${context.repo.owner}/\${context.repo.repo}/actions/runs/\${context.runId}\`
            const parts = []
            for (const environment of environments) {
              const text = (await readFile(\`dray-diff/\${environment}.txt\`, 'utf8')).trim()
              const shown = text.length > longest ? \`\${text.slice(0, longest)}\\n… the log of the run has the rest.\` : text
              const fence = '\`'.repeat(Math.max(3, ...[...shown.matchAll(/\`+/g)].map(([ticks]) => ticks.length + 1)))
              const [cost = ''] = /^What stands costs [\\d.]+ US dollars a month(?:, [\\d.]+ (?:more|less) than now|, as now)?/m.exec(text) ?? []
              const title = cost === '' ? environment : \`\${environment}: \${cost.replace('What stands', 'what stands')}\`
              parts.push(\`<details><summary>\${title}</summary>\\n\\n\${fence}\\n\${shown}\\n\${fence}\\n\\n</details>\`)
            }
            const body = [marker, \`What a deployment of this pull request would change ([log](\${log})):\`, ...parts].join('\\n\\n')
            const issue = { ...context.repo, issue_number: context.issue.number }
            const comments = await github.paginate(github.rest.issues.listComments, { ...issue, per_page: 100 })
            const own = comments.find(({ user, body: said }) => user?.login === 'github-actions[bot]' && said?.startsWith(marker))
            if (own) await github.rest.issues.updateComment({ ...context.repo, comment_id: own.id, body })
            else await github.rest.issues.createComment({ ...issue, body })`
}
