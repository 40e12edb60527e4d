import { closeDatabases } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { type Checked, found } from 'dray/internal/database/health.ts'
import { type AccountLimits, accountLimits } from 'dray/internal/lambda/account-limits.ts'
import { type DatabaseSettings, type Environment, portOfDatabase } from '#dray-infra/project/environment.ts'
import { environmentNamed } from '#dray-infra/project/environments.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { partitionsAtOnce, type Unit } from '#dray-infra/project/unit-databases.ts'
import { bindSecret, bindTokens } from '#dray-infra/remote/databases.ts'
import { type NetworkFacts, networkFacts } from '#dray-infra/remote/network-facts.ts'
import { type OpenEnvironment, withEnvironment } from '#dray-infra/remote/open-environment.ts'
import { databaseNames } from './databases.ts'
import type { Diagnosis, Section } from './diagnosis.ts'
import { type DoctorOptions, examineWork, loaded, servicesOf } from './doctor.ts'
import { examineMachine } from './machine.ts'
import { networkSection } from './network.ts'
import { type ExaminedProject, examineProject } from './project.ts'
import type { NetworkStack } from './seen-network.ts'

/**
 * What Lambda keeps for functions without a reservation.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
 */
const UNRESERVED = 100

/** The share of the account's storage of code from which on it is said. */
const NEARLY_FULL = 0.8

const REFUSED = /AccessDenied|UnauthorizedOperation|not authorized|AWS refused/
/** Checks that say no more than that this machine is not in the network. */
const OF_THE_WAY: ReadonlySet<string> = new Set(['dns', 'tcp', 'connect'])

/**
 * Looks at what an environment needs, with the credentials of who runs the command: stack, secrets, network, databases,
 * quotas. What may not be read is not known, and no fault.
 */
export async function examineEnvironment(name: string, options: DoctorOptions): Promise<Diagnosis> {
  const start = performance.now()
  const machine = { subject: 'machine', checks: examineMachine(options.home, options.envFile) }
  const sections = [machine, ...(await examineDeployed(name, options))]
  return { environment: name, sections, seconds: (performance.now() - start) / 1000 }
}

async function examineDeployed(name: string, options: DoctorOptions): Promise<readonly Section[]> {
  const project = await loaded(options.folder)
  if ('check' in project) return [{ subject: 'project', checks: [project] }]
  // Throws what another verb would: there is no such environment.
  const settings = environmentNamed(name, project)
  if (settings.region !== undefined) process.env.AWS_REGION = settings.region
  bindTokens(settings)
  const examined = await examineProject(project)
  const sections = [{ subject: 'project', checks: examined.checks }]
  const look = (open: OpenEnvironment | null, checks: readonly Checked[]) =>
    examineAll(settings, { project, examined, open, checks }, options)
  try {
    const rest = await withEnvironment(name, (open) => look(open, [found('stack', 'ok', `${open.stack} is deployed`)]))
    return [...sections, ...rest]
  } catch (error) {
    const said = (error as Error).message
    const verdict = REFUSED.test(said) ? 'unknown' : 'broken'
    return [...sections, ...(await look(null, [found('stack', verdict, said)]))]
  } finally {
    await closeDatabases()
  }
}

interface Seen {
  readonly project: LoadedProject
  readonly examined: ExaminedProject
  readonly open: OpenEnvironment | null
  readonly checks: readonly Checked[]
}

async function examineAll(
  settings: Environment,
  { project, examined, open, checks }: Seen,
  { signal, now = Date.now }: DoctorOptions,
): Promise<readonly Section[]> {
  const names = databaseNames([], examined.units)
  const [secrets, account, facts] = await Promise.all([
    examineSecrets(settings, names),
    examineAccount(settings, examined.units),
    settings.vpc === null ? null : networkFacts(settings.vpc),
  ])
  const bound = names.filter((name) => secrets.get(name)?.verdict === 'ok')
  const services = open === null ? null : servicesOf({ state: open.state, staging: open.staging, signal, now })
  const work = await examineWork(project, examined, { names: bound, services, isHere: false }, { now, signal })
  const own = { subject: `environment ${settings.name}`, checks: [...checks, ...account] }
  const network = facts === null ? [] : networkOf(settings, facts, { names: bound, open, checks })
  const ofDatabases = names.map((name) => databaseSection(name, settings, secrets.get(name), work))
  return [own, ...network, ...ofDatabases, ...work.filter(({ subject }) => !subject.startsWith('database '))]
}

interface Known extends Pick<Seen, 'open' | 'checks'> {
  /** Of the databases whose URL is known. */
  readonly names: readonly string[]
}

function networkOf(environment: Environment, facts: NetworkFacts, { names, open, checks }: Known): readonly Section[] {
  const { vpc, databases } = environment
  if (vpc === null) return []
  const ports = Object.entries(databases).map(([name, settings]) => {
    const url = names.includes(name) ? URL.parse(process.env[urlVariable(name)] ?? '') : null
    return [name, Number(url?.port) || portOfDatabase(settings)] as const
  })
  const seen = {
    environment,
    vpc,
    facts,
    stack: stackOf(open, checks),
    groups: open?.groups ?? { databases: null, staging: null },
    ports: new Map(ports),
    needsSecrets: Object.values(databases).some((one) => 'secret' in one),
  }
  return [networkSection(seen)]
}

function stackOf(open: OpenEnvironment | null, checks: readonly Checked[]): NetworkStack {
  if (open !== null) return Object.values(open.groups).includes(null) ? 'outside' : 'inside'
  return checks.some(({ said }) => said.startsWith('There is no stack')) ? 'absent' : 'unknown'
}

/** What its secret says in front of what the database says. */
function databaseSection(
  name: string,
  { vpc, databases }: Environment,
  secret: Checked | undefined,
  work: readonly Section[],
): Section {
  const subject = `database ${name}`
  const checks = work.find((section) => section.subject === subject)?.checks ?? []
  const isClosed = vpc !== null || databases[name]?.authorities === 'amazon-rds'
  const seen = checks.map((one) => (isClosed && one.verdict === 'broken' ? fromHere(one) : one))
  return { subject, checks: [...(secret === undefined ? [] : [secret]), ...seen] }
}

/** In a closed network the functions reach it, and this machine does not. */
function fromHere(checked: Checked): Checked {
  if (!OF_THE_WAY.has(checked.check) || !/not known here|cannot be connected to|does not answer/.test(checked.said))
    return checked
  return found(
    checked.check,
    'unknown',
    `it cannot be reached from this machine, and may be from the environment's network: run the command on a host in it or through a tunnel (${checked.said})`,
  )
}

/** All at once; one that may not be read keeps none of the others from being read. */
async function examineSecrets(
  { name: environment, databases }: Environment,
  names: readonly string[],
): Promise<ReadonlyMap<string, Checked>> {
  const entries = names.map(async (name) => [name, await examineSecret(environment, name, databases[name])] as const)
  return new Map(await Promise.all(entries))
}

async function examineSecret(
  environment: string,
  name: string,
  settings: DatabaseSettings | undefined,
): Promise<Checked> {
  if (settings === undefined) {
    const said = `the environment ${environment} does not say where the database ${name} is; add it to its databases in infra/environments.ts`
    return found('secret', 'broken', said)
  }
  try {
    await bindSecret(settings, name)
    return 'secret' in settings
      ? found('secret', 'ok', `the secret ${settings.secret} holds a URL`)
      : found('sign-in', 'ok', 'signs in with tokens of IAM')
  } catch (error) {
    const { message } = error as Error
    return found('secret', REFUSED.test(message) ? 'unknown' : 'broken', message)
  }
}

async function examineAccount(environment: Environment, units: readonly Unit[]): Promise<readonly Checked[]> {
  const limits = await accountLimits().catch((error: Error) => error)
  if (!(limits instanceof Error)) return [...concurrencyOf(limits, environment, units), ...codeOf(limits)]
  const said = `the concurrency of the account cannot be read (${limits.name}), so it was not held against what ${environment.name} needs; lambda:GetAccountSettings would show it`
  return [found('concurrency', 'unknown', said)]
}

/** Partitions at once are functions at once; those that are reserved are taken from the account's. */
function concurrencyOf(
  { concurrency: most }: AccountLimits,
  { name, reservedConcurrency }: Environment,
  units: readonly Unit[],
): readonly Checked[] {
  if (most === null) return []
  const reserved = Object.values(reservedConcurrency).reduce((sum, one) => sum + one, 0)
  if (reserved > 0 && reserved > most - UNRESERVED) {
    const said = `${name} reserves ${reserved} functions at once, and the account has ${most}, of which ${UNRESERVED} have to stay free, so a deployment is refused; ask AWS for more (Service Quotas, Concurrent executions), or lower reservedConcurrency`
    return [found('concurrency', 'broken', said)]
  }
  const needed = units.reduce((sum, unit) => sum + partitionsAtOnce(unit), 0)
  if (needed > most - reserved) {
    const said = `the account has ${most} functions at once in this region, and the pipelines of ${name} may ask for ${needed}, so calls are refused and tried again while others run; ask AWS for more (Service Quotas, Concurrent executions)`
    return [found('concurrency', 'warning', said)]
  }
  return [found('concurrency', 'ok', `the account has ${most} functions at once; ${name} needs ${needed} at most`)]
}

/** Each deployment publishes versions, of which the environment deletes each day what nothing runs any more. */
function codeOf({ code }: AccountLimits): readonly Checked[] {
  if (code === null) return []
  const said = `the functions of the account have ${gigabytes(code.used)} of ${gigabytes(code.most)} GB of code in this region`
  if (code.used < code.most * NEARLY_FULL) return [found('code', 'ok', said)]
  const remedy =
    'so a deployment is refused before long; delete versions of functions that nothing uses, or ask AWS for more (Service Quotas, Function and layer storage)'
  return [found('code', 'warning', `${said}, ${remedy}`)]
}

function gigabytes(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1)
}
