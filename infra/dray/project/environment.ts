import { ConfigurationError } from 'dray/internal/errors.ts'
import { secondsOf } from 'dray/internal/pipeline/declare/duration.ts'
import { z } from 'zod'

const kebabCase = z.string().regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, 'is not in kebab-case')
const duration = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, 'is not a length of time; write 30m, 26h or 2d')
  .transform((text) => secondsOf(text as `${number}h`))
const idOf = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}-[0-9a-f]{8,17}$`), `is not the id of a ${prefix}`)
const arnOf = (service: string) =>
  z.string().regex(new RegExp(`^arn:aws[a-z-]*:${service}:`), `is not an ARN of ${service}`)

/** Not an alias, which no permission can name. */
const encryptionKey = z
  .string()
  .regex(/^arn:aws[a-z-]*:kms:[^:]+:\d{12}:key\/.+$/, 'is not the ARN of a key (arn:aws:kms:…:key/…)')
  .optional()

/** Of a server; `field` names the secret that holds what opens it. */
const secureUrl = (field: string) =>
  z
    .url({ protocol: /^https$/, error: 'is not a URL that begins with https://' })
    .refine((url) => new URL(url).username === '' && new URL(url).password === '', {
      error: `has a user or a password in it, which would stand in the template and in the functions’ settings: put the key into a secret and name that as ${field}`,
    })

/** Whether the URL of a secret may turn off TLS, or the check of the server's certificate, by its `sslmode`. */
const tls = z.enum(['verified', 'by-url']).default('verified')

/** SQLite has no place on AWS: a Lambda keeps no file. */
const engine = z.enum(['postgres', 'mysql'])

/** Who signs the server's certificate; both are verified. RDS and Aurora have their own authorities. */
const authorities = z.enum(['amazon-rds', 'public']).default('amazon-rds')

const database = z.union([
  z.strictObject({
    engine,
    authorities,
    tls,
    /**
     * Name or complete ARN of the secret that holds the URL, `postgres://user:password@host/database`, or the document
     * that RDS keeps there, with a `dbname`.
     */
    secret: z.string().min(1),
    /** ARN of a key of your own that encrypts the secret; unset where it is `aws/secretsmanager`. */
    encryptionKey,
  }),
  z.strictObject({
    engine,
    authorities,
    /** A user that signs in with tokens of IAM, so that no password is stored anywhere. */
    iam: z.strictObject({
      host: z.hostname(),
      port: z.int().min(1).max(65_535).optional(),
      user: z.string().regex(/^[A-Za-z0-9_-]+$/),
      database: z.string().regex(/^[A-Za-z0-9_-]+$/),
      /** `db-…`, `cluster-…` or `prx-…`, from the console or `aws rds describe-db-instances`. */
      resourceId: z.string().regex(/^(db|cluster|prx)-[A-Za-z0-9-]+$/),
    }),
  }),
])

/**
 * A network that is there already, by ids, so that synth looks nothing up. No NAT is needed: S3 and DynamoDB are
 * reached by gateway endpoints, and only functions with a database, and transforms, run inside. Of the network's own
 * settings it needs `enableDnsSupport`, and `enableDnsHostnames` for the endpoint of Secrets Manager.
 */
const vpc = z.strictObject({
  id: idOf('vpc'),
  subnets: z
    .array(z.strictObject({ id: idOf('subnet'), availabilityZone: z.string().min(1), routeTable: idOf('rtb') }))
    .min(1),
  /** `exist` when the network has them; two of a kind cannot be in one route table. */
  gatewayEndpoints: z.enum(['create', 'exist']).default('create'),
  /**
   * For databases by secret; those by IAM need none, since a token is signed without a call. About 7 $ a month and
   * subnet.
   */
  secretsEndpoint: z.enum(['create', 'exist']).default('create'),
})

const logDays = z.literal([
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
])

/** The names of all that an environment has on AWS begin with it, and AWS cuts them at 64 characters. */
const environmentName = kebabCase.max(30, 'is longer than 30 characters')

const environment = z.strictObject({
  /** Where it is deployed; unset: where the CLI is signed in. */
  account: z
    .string()
    .regex(/^\d{12}$/, 'is not an account of 12 digits')
    .optional(),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'is not a region')
    .optional(),
  vpc: vpc.nullable().default(null),
  databases: z.record(kebabCase, database),
  retention: z
    .strictObject({
      /** Staged batches and findings, in days. Quarantined rows stay until they are closed and pruned. */
      staged: z.int().min(1).default(30),
      /** Logs, in days that CloudWatch knows. */
      logs: logDays.default(30),
      /** What runs, steps and partitions did, in days. */
      metrics: z.int().min(1).max(3650).default(90),
      /** Who has touched quarantined rows and findings, in days. */
      audit: z.int().min(1).max(3650).default(365),
    })
    .prefault({}),
  /**
   * A server of OpenLineage that receives what runs and which tables it reads and writes; docs/operations.md,
   * "Lineage".
   */
  lineage: z
    .strictObject({
      /** It is reached from outside of the network. */
      url: secureUrl('apiKeySecret'),
      endpoint: z.string().min(1).default('api/v1/lineage'),
      /** Name or complete ARN of the secret that holds the key. */
      apiKeySecret: z.string().min(1).optional(),
      /** ARN of a key of your own that encrypts that secret. */
      apiKeyEncryptionKey: encryptionKey,
      /** Of the jobs; `dray-<environment>` unless told. */
      namespace: z.string().min(1).optional(),
    })
    .nullable()
    .default(null),
  notify: z
    .strictObject({
      /** Each address confirms its subscription by a mail that AWS sends. */
      emails: z.array(z.email()).default([]),
      /** A topic that is there already, instead of one of the stack's own. */
      topicArn: arnOf('sns').optional(),
      /** Name or complete ARN of the secret that holds the URL of an incoming webhook; the key of yours on it. */
      slack: z.strictObject({ secret: z.string().min(1), encryptionKey }).optional(),
      /** Receives each message as JSON. */
      webhook: z
        .strictObject({
          url: secureUrl('secret'),
          /** What a secret holds that shows who sends, by a signature (HMAC) or as a bearer token. */
          secret: z.string().min(1).optional(),
          sign: z.enum(['hmac', 'bearer']).default('hmac'),
          encryptionKey,
        })
        .optional(),
    })
    .refine((notify) => notify.topicArn === undefined || notify.emails.length === 0, {
      error: 'gives e-mails and a topic: subscribe the e-mails to that topic and leave them out here',
    })
    .prefault({}),
  /**
   * At most so many of a handler at once, to spare its database: `{ 'functions/orders/load.ts': 4 }`. Of plan, commit,
   * outcome and finish there is a function in each stack of pipelines, of the last two in that of workflows, too.
   */
  reservedConcurrency: z.record(z.string().regex(/^functions\/[^/]+\/[^/]+\.ts$/), z.int().min(1)).default({}),
  /** The bus that events arrive on and are put on. */
  eventBusName: z.string().min(1).default('default'),
  /** What each workflow is expected to keep; alarms watch it. */
  expected: z.record(
    kebabCase,
    z.strictObject({
      /** From one success to the next, at most. */
      successWithin: duration,
      /** From a row's change to its arrival, at most; as `successWithin` unless told. */
      freshness: duration.optional(),
    }),
  ),
  tags: z.record(z.string().min(1).max(128), z.string().max(256)).default({}),
})

/** As it is written; what has a default may be left out. */
export type EnvironmentOptions = z.input<typeof environment>
/** With its name, every default filled in, lengths of time in seconds. */
export type Environment = Omit<z.output<typeof environment>, 'databases'> & {
  readonly name: string
  readonly databases: Readonly<Record<string, DatabaseSettings>>
}
export type DatabaseSettings = z.output<typeof database> | EmulatedDatabase
/** SQLite on an emulator alone. */
export type Engine = z.output<typeof engine> | 'sqlite'
export type NetworkSettings = NonNullable<Environment['vpc']>

/** One of this machine, for functions that run on it, too. */
interface EmulatedDatabase {
  readonly engine: Engine
  readonly authorities: 'public'
  readonly tls: 'by-url'
  readonly secret: string
  readonly encryptionKey?: undefined
}

const portOf: Readonly<Record<Engine, number>> = { postgres: 5432, mysql: 3306, sqlite: 0 }

/**
 * Where a database that is signed in to with IAM listens; of one by secret only its URL knows, and the engine's port is
 * taken.
 */
export function portOfDatabase(settings: DatabaseSettings): number {
  return ('iam' in settings && settings.iam.port) || portOf[settings.engine]
}

/** The URL of a database that is signed in to with IAM. */
export function iamUrl(settings: Extract<DatabaseSettings, { iam: unknown }>): string {
  const { host, user, database: name } = settings.iam
  return `${settings.engine}://${user}@${host}:${portOfDatabase(settings)}/${name}`
}

/** Checks an environment's settings. Throws `Configuration` with each fault and where it is. */
export function environmentOf(name: string, options: EnvironmentOptions): Environment {
  const parsed = environment.safeParse(options)
  const named = environmentName.safeParse(name)
  if (parsed.success && named.success) return { name, ...parsed.data }
  const faults = [named, parsed].flatMap(({ error }) => (error ? z.prettifyError(error) : []))
  throw new ConfigurationError(
    `The environment ${name} of infra/environments.ts is not valid, so nothing was synthesized:\n${faults.join('\n')}`,
  )
}
