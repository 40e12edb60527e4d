import { ArnFormat, Stack } from 'aws-cdk-lib'
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { iamVariable, secretVariable, tlsVariable, urlVariable } from 'dray/internal/database/database-url.ts'
import { type DatabaseSettings, iamUrl } from '#dray-infra/project/environment.ts'
import { pascalCase } from './pascal-case.ts'
import { readingSecret } from './reading-secret.ts'

/** The authorities of Amazon, which Node on Lambda does not load by itself. */
const AMAZON_AUTHORITIES = '/var/runtime/ca-cert.pem'

/** How functions reach the databases of an environment: their variables and their permissions. */
export class DatabaseAccess {
  readonly #scope: Construct
  readonly #databases: Readonly<Record<string, DatabaseSettings>>
  readonly #secrets = new Map<string, ISecret>()

  constructor(scope: Construct, databases: Readonly<Record<string, DatabaseSettings>>) {
    this.#scope = scope
    this.#databases = databases
  }

  /** The variables of a function that works with these databases. */
  variablesOf(names: readonly string[]): Record<string, string> {
    const variables = names.flatMap((name) => this.#variablesOf(name, this.#settingsOf(name)))
    const amazon = names.some((name) => this.#settingsOf(name).authorities === 'amazon-rds')
    return { ...Object.fromEntries(variables), ...(amazon ? { NODE_EXTRA_CA_CERTS: AMAZON_AUTHORITIES } : {}) }
  }

  permit(role: IRole, names: readonly string[]): void {
    for (const statement of this.statements(names)) role.addToPrincipalPolicy(statement)
  }

  /** What allows to sign in to these databases. */
  statements(names: readonly string[]): PolicyStatement[] {
    return names.flatMap((name) => {
      const settings = this.#settingsOf(name)
      return 'secret' in settings
        ? readingSecret(this.#scope, this.#secretArn(name, settings.secret), settings.encryptionKey)
        : new PolicyStatement({ actions: ['rds-db:connect'], resources: [this.#userArn(settings.iam)] })
    })
  }

  #settingsOf(name: string): DatabaseSettings {
    const settings = this.#databases[name]
    if (!settings) throw new Error(`The environment has no database ${name}.`)
    return settings
  }

  /**
   * `SHOP_DATABASE_URL_SECRET_ARN`, from which the handler reads `SHOP_DATABASE_URL`; or that itself, without a
   * password.
   */
  #variablesOf(name: string, settings: DatabaseSettings): [string, string][] {
    if ('secret' in settings) {
      const secret: [string, string] = [secretVariable(name), this.#secretOf(name, settings.secret).secretArn]
      return settings.tls === 'verified' ? [secret] : [secret, [tlsVariable(name), settings.tls]]
    }
    return [
      [urlVariable(name), iamUrl(settings)],
      [iamVariable(name), 'true'],
    ]
  }

  #secretOf(database: string, secret: string): ISecret {
    const known = this.#secrets.get(database)
    if (known) return known
    const id = `${pascalCase(database)}Url`
    const found = secret.startsWith('arn:')
      ? Secret.fromSecretCompleteArn(this.#scope, id, secret)
      : Secret.fromSecretNameV2(this.#scope, id, secret)
    this.#secrets.set(database, found)
    return found
  }

  /** A secret's own ARN ends in a hyphen and six characters that nobody chose. */
  #secretArn(database: string, secret: string): string {
    const { secretArn } = this.#secretOf(database, secret)
    return secret.startsWith('arn:') ? secretArn : `${secretArn}-??????`
  }

  #userArn({ resourceId, user }: { readonly resourceId: string; readonly user: string }): string {
    return Stack.of(this.#scope).formatArn({
      service: 'rds-db',
      resource: 'dbuser',
      resourceName: `${resourceId}/${user}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
  }
}
