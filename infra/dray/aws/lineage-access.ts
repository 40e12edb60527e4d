import type { IRole } from 'aws-cdk-lib/aws-iam'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { KEPT_URL } from 'dray/internal/lineage/settings.ts'
import type { Environment } from '#dray-infra/project/environment.ts'
import { readingSecret, secretNamed } from './reading-secret.ts'

/** Where functions tell the lineage of runs, if the environment wants it told. */
export class LineageAccess {
  readonly #settings: Environment['lineage']
  readonly #key: ISecret | null
  readonly #keyArn: string | null

  constructor(scope: Construct, settings: Environment['lineage']) {
    this.#settings = settings
    const name = settings?.apiKeySecret
    if (name === undefined) {
      this.#key = this.#keyArn = null
      return
    }
    const { secret, granted } = secretNamed(scope, 'LineageApiKey', name)
    this.#key = secret
    this.#keyArn = granted
  }

  /** The variables of a function that tells; one that reaches no sink keeps its events for Finish. */
  variablesOf(reachesSink: boolean): Record<string, string> {
    if (this.#settings === null) return {}
    const { url, endpoint, namespace } = this.#settings
    const named: Record<string, string> = namespace === undefined ? {} : { OPENLINEAGE_NAMESPACE: namespace }
    if (!reachesSink) return { OPENLINEAGE_URL: KEPT_URL, ...named }
    return {
      OPENLINEAGE_URL: url,
      OPENLINEAGE_ENDPOINT: endpoint,
      ...named,
      ...(this.#key ? { OPENLINEAGE_API_KEY_SECRET_ARN: this.#key.secretArn } : {}),
    }
  }

  permit(role: IRole, reachesSink: boolean): void {
    if (this.#keyArn === null || !reachesSink) return
    const { apiKeyEncryptionKey } = this.#settings ?? {}
    for (const statement of readingSecret(role, this.#keyArn, apiKeyEncryptionKey)) role.addToPrincipalPolicy(statement)
  }
}
