import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Environment } from '#dray-infra/project/environment.ts'
import { environmentsOf } from '#dray-infra/project/environments.ts'
import { githubWorkflow, inDeploymentOrder, roleVariable, WORKFLOW_FILE } from '#dray-infra/project/github-workflow.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { print } from './output.ts'
import { printJson } from './verb.ts'

export interface NewCiOptions {
  readonly force?: boolean
  readonly json?: boolean
}

/** Writes the workflow, unless another one is there, and says what is left to do. */
export async function newCi({ force, json }: NewCiOptions): Promise<void> {
  const project = await loadProject()
  const environments = inDeploymentOrder(environmentsOf(project))
  if (environments.length === 0) {
    throw new ConfigurationError(
      'infra/environments.ts has no environment that could be deployed, so nothing was written; give it one: docs/deploy.md, "Say what is where".',
    )
  }
  const text = githubWorkflow(environments)
  const file = join(project.folder, WORKFLOW_FILE)
  const present = await readIfThere(file)
  if (present !== null && present !== text && !force) {
    throw new ConfigurationError(
      `${WORKFLOW_FILE} is there and differs from what would be written, so nothing was written; commit it, let \`npx dray new ci --force\` write over it, and look at \`git diff\`.`,
    )
  }
  const written = present !== text
  if (written) {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  const names = environments.map(({ name }) => name)
  if (json) printJson('new ci', { file: WORKFLOW_FILE, written, environments: names })
  else {
    print(`${WORKFLOW_FILE} ${written ? 'is written' : 'is there, and as it would be written'}.\n`)
    print(nextSteps(environments, await repositoryOf(project.folder)))
  }
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** `owner/name` of the remote repository, as far as Git knows one on GitHub. */
async function repositoryOf(folder: string): Promise<string> {
  const url = await promisify(execFile)('git', ['remote', 'get-url', 'origin'], { cwd: folder }).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
  return /[@/]github\.com[:/]([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(url)?.[1] ?? '<owner>/<repository>'
}

/** What there is to do on GitHub and on AWS; whom each role trusts. */
function nextSteps(environments: readonly Environment[], repository: string): string {
  const named = environments.every(({ region }) => region !== undefined)
  const roles = environments.flatMap(({ name }) => [roleVariable('DEPLOY', name), roleVariable('DIFF', name)])
  const variables = named ? roles : [...roles, 'AWS_REGION']
  return `
Next, for each environment (docs/deploy.md, "From GitHub", has the policies):

1. Make two roles that trust GitHub's provider, token.actions.githubusercontent.com, for these subjects alone:
   ${environments.map(({ name }) => `${roleVariable('DEPLOY', name)}  repo:${repository}:environment:${name}`).join('\n   ')}
   ${environments.map(({ name }) => `${roleVariable('DIFF', name)}  repo:${repository}:pull_request`).join('\n   ')}
   A repository made since July 2026 has its ids in them: repo:<owner>@<id>/<repository>@<id>:…
2. Write their ARNs into the repository's variables${named ? ' (the region stands in infra/environments.ts)' : ', and the region'}:
   ${variables.map((variable) => `gh variable set ${variable} --repo ${repository} --body '…'`).join('\n   ')}
3. Let the environments ${environments.map(({ name }) => name).join(', ')} of the repository deploy from main alone (else a workflow of any branch can take their roles), with reviewers where somebody has to agree:
   https://github.com/${repository}/settings/environments
4. Commit the file, and open a pull request.
`
}
