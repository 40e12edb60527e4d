import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CloudFormationClient, CreateStackCommand, waitUntilStackCreateComplete } from '@aws-sdk/client-cloudformation'
import { CreateFunctionCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { CreateSecretCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { answers, EMULATED_ACCOUNT, type Emulator, startEmulator } from 'dray-infra/internal/emulator/emulator.ts'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { emulatorPackage } from './emulator-package.ts'

/* The emulator of AWS as a process of somebody's machine, with nothing of Dray deployed to it. */

const found = await emulatorPackage()
const why = 'unavailable' in found ? found.unavailable : false
if (why !== false && process.env.CI === 'true') throw new Error(`CI must not skip suites: ${why}`)
const python = 'unavailable' in found ? '' : found.python

describe('the emulator on a machine', { skip: why }, () => {
  let home = ''
  let emulator: Emulator
  const clients: { destroy(): void }[] = []
  const kept = { ...process.env }

  before(async () => {
    // A folder of a project, which is a package of ES modules, and whose owner has an apostrophe.
    home = await mkdtemp(join(tmpdir(), "o'brien's dray-"))
    await writeFile(join(home, 'package.json'), '{ "type": "module" }')
    const folder = join(home, 'aws')
    await mkdir(folder)
    emulator = await startEmulator({ python, folder })
    Object.assign(process.env, emulator.variables)
  })
  after(async () => {
    for (const client of clients) client.destroy()
    await emulator?.stop()
    for (const name of Object.keys(emulator?.variables ?? {})) {
      if (kept[name] === undefined) delete process.env[name]
      else process.env[name] = kept[name]
    }
    await rm(home, { recursive: true, force: true, maxRetries: 5 })
  })

  it('runs a function, and one that is warm reads the URL of a database that has changed', async () => {
    const requestHandler = { httpsAgent: { ca: emulator.ca } }
    const secrets = new SecretsManagerClient({ requestHandler })
    const lambda = new LambdaClient({ requestHandler })
    const stacks = new CloudFormationClient({ requestHandler })
    clients.push(secrets, lambda, stacks)
    const Name = '/dray/emulated/sales/url'
    await secrets.send(new CreateSecretCommand({ Name, SecretString: 'first' }))
    const ZipFile = await zipped(home, HANDLER)
    const FunctionName = 'reader'
    const Role = await roleOf(stacks)
    const Code = { ZipFile }
    await lambda.send(
      new CreateFunctionCommand({ FunctionName, Code, Role, Runtime: 'nodejs24.x', Handler: 'index.handler' }),
    )
    const asked = async () => {
      const { Payload } = await lambda.send(new InvokeCommand({ FunctionName }))
      return JSON.parse(Buffer.from(Payload ?? []).toString())
    }

    const cold = await asked()
    const warm = await asked()
    await secrets.send(new PutSecretValueCommand({ SecretId: Name, SecretString: 'first' }))
    const same = await asked()
    await secrets.send(new PutSecretValueCommand({ SecretId: Name, SecretString: 'second' }))
    const changed = await asked()

    assert.deepEqual([cold, warm, same], [1, 2, 3])
    assert.equal(changed, 1)
  })

  it('ends with the process that has started it, even by kill -9', { timeout: 60_000 }, async () => {
    const folder = join(home, 'other')
    await mkdir(folder)
    const module = JSON.stringify(join(packageFolder, 'emulator/emulator.ts'))
    const script = `const { startEmulator } = await import(${module})
      const { ca, variables } = await startEmulator(${JSON.stringify({ python, folder })})
      console.log(JSON.stringify({ ca, endpoint: variables.AWS_ENDPOINT_URL }))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said] = await once(child.stdout, 'data')
    const { ca, endpoint } = JSON.parse(String(said))
    assert.equal(await answers(ca, endpoint), true)

    child.kill('SIGKILL')

    while (await answers(ca, endpoint)) await delay(200)
  })
})

/** The ARN of a role that may do nothing. */
async function roleOf(client: CloudFormationClient): Promise<string> {
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  }
  const Role = { Type: 'AWS::IAM::Role', Properties: { RoleName: 'nothing', AssumeRolePolicyDocument: trust } }
  const TemplateBody = JSON.stringify({ Resources: { Role } })
  await client.send(new CreateStackCommand({ StackName: 'role', TemplateBody, Capabilities: ['CAPABILITY_NAMED_IAM'] }))
  await waitUntilStackCreateComplete({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { StackName: 'role' })
  return `arn:aws:iam::${EMULATED_ACCOUNT}:role/nothing`
}

/** Counts the calls of its process. */
const HANDLER = 'let calls = 0\nexport const handler = async () => ++calls\n'

async function zipped(home: string, text: string): Promise<Uint8Array> {
  const [file, zip] = [join(home, 'index.mjs'), join(home, 'code.zip')]
  await writeFile(file, text)
  await promisify(execFile)(python, ['-m', 'zipfile', '-c', zip, file])
  return readFile(zip)
}
