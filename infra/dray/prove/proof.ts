import { spawn } from 'node:child_process'
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { EnvironmentOptions } from '#dray-infra/project/environment.ts'
import { packageFolder } from '#dray-infra/project/project-folder.ts'
import { type KeptResource, keptResources } from '#dray-infra/remote/kept-resources.ts'
import { deleteSecret, writeSecret } from '#dray-infra/remote/secrets.ts'
import {
  BAD_ROWS,
  changeOrders,
  compareTables,
  createSchemas,
  dropSchemas,
  holdingOrders,
  inTarget,
  type Places,
  ROWS,
  urlOfSchema,
  type Versions,
} from './databases.ts'
import { forgetMade, readMade, writeMade } from './made.ts'
import { secretOf, writeProject, writeSecondVersion } from './proven-project.ts'
import { deleteKept } from './take-down.ts'

const LOOK_EVERY_MS = 1_000
/** Up to here rows are changed before the second version is deployed, and behind it when it has been. */
const CHANGED_FIRST = 500

export interface ProofOptions {
  /** Of the environment that is made and taken down. */
  readonly name: string
  /** For the project that is deployed; it goes when the proof is taken down. */
  readonly folder: string
  readonly settings: EnvironmentOptions
  readonly places: Places
  /** Where its servers are, in words. */
  readonly servers: string
  readonly signal: AbortSignal
}

/** One thing that is shown. `work` returns what was seen, and throws where it was not. */
export interface ProofStep {
  readonly name: string
  work(): Promise<string>
}

const runDocument = z.object({
  run_id: z.string(),
  status: z.string(),
  steps: z.array(
    z.object({
      step: z.string(),
      status: z.string(),
      inserted: z.number(),
      updated: z.number(),
      quarantined: z.number(),
    }),
  ),
})
const shownRun = z.object({
  cost: z.object({ us_dollars: z.number() }).nullable(),
  steps: z.array(z.object({ step: z.string(), status: z.string() })),
})
type RunDocument = z.output<typeof runDocument>

interface Ended {
  readonly code: number
  readonly stdout: string
}

/** A small project, deployed as an environment by the command itself, worked with, and taken down. */
export class Proof {
  readonly #options: ProofOptions
  readonly #runs = new Set<string>()

  constructor(options: ProofOptions) {
    this.#options = options
  }

  /** What its runs have cost so far, in US dollars, as they say themselves; null where none has said. */
  async readCost(): Promise<number | null> {
    const costs: number[] = []
    for (const id of this.#runs) {
      const { cost } = await this.#show(id)
      if (cost !== null) costs.push(cost.us_dollars)
    }
    return costs.length === 0 ? null : costs.reduce((sum, one) => sum + one, 0)
  }

  /** Where the output of each command is. */
  get log(): string {
    return join(this.#options.folder, 'prove.log')
  }

  steps(): readonly ProofStep[] {
    return [
      { name: 'prepare', work: () => this.#prepare() },
      { name: 'deploy', work: () => this.#deploy() },
      { name: 'run', work: () => this.#runFirst() },
      { name: 'run again', work: () => this.#runAgain() },
      { name: 'fail on purpose, resume', work: () => this.#failAndResume() },
      { name: 'deploy during a run', work: () => this.#deployDuringRun() },
      { name: 'replay', work: () => this.#replay() },
    ]
  }

  /**
   * The stacks and what they leave, the secrets and the schemas: what the proof has made, and nothing else. Throws
   * where something is left, when the rest is gone.
   */
  async takeDown(): Promise<string> {
    const { name, folder, places, servers } = this.#options
    const made = await readMade(folder)
    if (made === null) return 'nothing was made'
    if (made.servers !== servers) {
      throw new Error(
        `It was made on ${made.servers}, and PROVE_SOURCE_DATABASE_URL and PROVE_TARGET_DATABASE_URL lead to ${servers}, so nothing was taken down; set them as they were.`,
      )
    }
    const faults: string[] = []
    const attempt = async (what: string, work: () => Promise<unknown>) => {
      await work().catch((error: Error) => faults.push(`${what} (${error.message})`))
    }
    if (made.isDeployed) await attempt('the stacks', () => this.#takeStacksDown())
    for (const database of ['prove-source', 'prove-target']) {
      const secret = secretOf(name, database)
      await attempt(`the secret ${secret}`, () => deleteSecret(secret))
    }
    await attempt(`the schemas ${places.schema}`, () => dropSchemas(places))
    if (faults.length > 0) throw new Error(`There may be left: ${faults.join('; ')}`)
    await forgetMade(folder)
    const schemas = `the secrets and the schemas ${places.schema} are dropped`
    return made.isDeployed ? `the stacks and what they keep are gone (a key in 7 days), ${schemas}` : schemas
  }

  async #takeStacksDown(): Promise<void> {
    const { name } = this.#options
    const kept = await this.#rememberKept()
    await this.#dray(['destroy', name, '--yes'], [0], new AbortController().signal)
    const faults: string[] = []
    for (const resource of kept) {
      await deleteKept(resource).catch(({ message }: Error) =>
        faults.push(`${resource.type} ${resource.id}: ${message}`),
      )
    }
    if (faults.length > 0) throw new Error(faults.join('; '))
  }

  /** What outlives the stacks is named by them alone. */
  async #rememberKept(): Promise<readonly KeptResource[]> {
    const { name, folder, servers } = this.#options
    const known = (await readMade(folder))?.kept ?? []
    const found = await keptResources(name)
    const kept = [...known, ...found.filter(({ id }) => !known.some((one) => one.id === id))]
    await writeMade(folder, { servers, isDeployed: true, kept })
    return kept
  }

  async #prepare(): Promise<string> {
    const { name, folder, settings, places, servers } = this.#options
    await writeProject(folder, name, settings)
    await writeMade(folder, { servers, isDeployed: false, kept: [] })
    await createSchemas(places)
    await writeSecret(secretOf(name, 'prove-source'), urlOfSchema(places.source, places.schema))
    await writeSecret(secretOf(name, 'prove-target'), urlOfSchema(places.target, places.schema))
    return `the schemas ${places.schema} with ${ROWS} rows, two secrets`
  }

  async #deploy(): Promise<string> {
    const { name, folder } = this.#options
    await this.#rememberKept()
    await this.#dray(['deploy', name, '--require-approval', 'never', '--', '--output', join(folder, 'cdk.out')])
    await this.#rememberKept()
    return `the stacks of ${name}`
  }

  async #runFirst(): Promise<string> {
    const { run, orders } = await this.#run(['run', 'prove'])
    this.#expect(run, 'success')
    await this.#compare((_id, isBad) => (isBad ? null : 1))
    return `${orders.inserted} rows inserted, ${orders.quarantined} in quarantine; the tables are equal but for these`
  }

  async #runAgain(): Promise<string> {
    const { run, orders } = await this.#run(['run', 'prove'])
    this.#expect(run, 'success')
    if (orders.inserted + orders.updated > 0) throw new Error('A run with nothing to do has written rows.')
    await this.#compare((_id, isBad) => (isBad ? null : 1))
    return 'nothing had changed, and nothing was written'
  }

  async #failAndResume(): Promise<string> {
    const { places } = this.#options
    await changeOrders(places, `id > ${BAD_ROWS} and id <= ${CHANGED_FIRST}`, 'changed once')
    await inTarget(places, (tables) => tables.query('alter table orders rename column amount to money'))
    const failed = await this.#run(['run', 'prove'])
    await inTarget(places, (tables) => tables.query('alter table orders rename column money to amount'))
    this.#expect(failed.run, 'failed')
    const resumed = await this.#run(['resume', failed.run.run_id])
    this.#expect(resumed.run, 'success')
    await this.#compare((_id, isBad) => (isBad ? null : 1))
    return `a column that was gone failed ${failed.run.run_id}, and nothing was loaded; once it was back, the resumed run loaded ${resumed.orders.updated} rows`
  }

  async #deployDuringRun(): Promise<string> {
    const { places, folder, name } = this.#options
    await changeOrders(places, `id > ${CHANGED_FIRST}`, 'changed for version 1')
    let id = ''
    await holdingOrders(places, `id > ${CHANGED_FIRST}`, async () => {
      const { stdout } = await this.#dray(['run', 'prove', '--env', name, '--detach', '--json'])
      id = z.object({ run_id: z.string() }).parse(JSON.parse(stdout)).run_id
      while (!(await this.#hasBegun(id))) await delay(LOOK_EVERY_MS)
      await writeSecondVersion(folder)
      await this.#deploy()
    })
    const during = await this.#run(['runs', 'watch', id])
    this.#expect(during.run, 'success')
    await this.#compare((_id, isBad) => (isBad ? null : 1))
    await changeOrders(places, `id > ${CHANGED_FIRST}`, 'changed for version 2')
    const next = await this.#run(['run', 'prove'])
    this.#expect(next.run, 'success')
    await this.#compare((rowId, isBad) => (isBad ? null : versionAfterSecond(rowId)))
    return `the run ended with the code that it began with (${during.orders.updated} rows by version 1), the next one had the new (${next.orders.updated} rows by version 2)`
  }

  async #replay(): Promise<string> {
    const { run } = await this.#run(['quarantine', 'replay', 'orders'])
    this.#expect(run, 'success')
    const count = await this.#compare(versionAfterSecond)
    return `what the first version rejected is loaded by the second: ${count} of ${ROWS} rows are there`
  }

  /** Whether its pipeline is at work. */
  async #hasBegun(id: string): Promise<boolean> {
    const { steps } = await this.#show(id)
    return steps.some(({ step, status }) => step === 'orders' && status === 'running')
  }

  async #show(id: string): Promise<z.output<typeof shownRun>> {
    const { code, stdout } = await this.#dray(['runs', 'show', id, '--env', this.#options.name, '--json'], [0, 1, 2])
    return code === 0 ? shownRun.parse(JSON.parse(stdout)) : { cost: null, steps: [] }
  }

  #compare(versionOf: Versions): Promise<number> {
    return compareTables(this.#options.places, versionOf)
  }

  #expect({ run_id: id, status }: RunDocument, wanted: string): void {
    if (status === wanted) return
    throw new Error(`The run ${id} was to be ${wanted}, and is ${status}.`)
  }

  async #run(args: readonly string[]): Promise<{ run: RunDocument; orders: RunDocument['steps'][number] }> {
    const { stdout } = await this.#dray([...args, '--env', this.#options.name, '--json'], [0, 1])
    const run = runDocument.parse(JSON.parse(stdout))
    const orders = run.steps.find(({ step }) => step === 'orders')
    if (orders === undefined) throw new Error(`The run ${run.run_id} says nothing of orders.`)
    this.#runs.add(run.run_id)
    return { run, orders }
  }

  /** The command as a user has it, in the project's folder. Throws with what it said. */
  async #dray(args: readonly string[], codes: readonly number[] = [0], signal = this.#options.signal): Promise<Ended> {
    const { folder } = this.#options
    signal.throwIfAborted()
    const child = spawn(process.execPath, [join(packageFolder, 'cli/dray.ts'), ...args], {
      cwd: folder,
      env: { ...process.env, DRAY_HOME: join(folder, '.dray'), NO_COLOR: '1', FORCE_COLOR: undefined },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C is for this process, which ends what it has begun in order.
      detached: true,
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    await this.note(`$ dray ${args.join(' ')}\n${stderr}${stdout}(${code})\n\n`)
    if (code !== null && codes.includes(code)) return { code, stdout }
    const last = stderr.trim().split('\n').at(-1)
    throw new Error(`dray ${args.join(' ')} ended with ${code}: ${last}`)
  }

  /** Writes into the log. */
  async note(text: string): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 })
    await appendFile(this.log, text, { mode: 0o600 })
  }
}

function versionAfterSecond(id: number): number {
  return id > BAD_ROWS && id <= CHANGED_FIRST ? 1 : 2
}
