import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'

/** A secret by its name or complete ARN, and the ARN that a grant names. */
export function secretNamed(scope: Construct, id: string, name: string) {
  if (name.startsWith('arn:')) return { secret: Secret.fromSecretCompleteArn(scope, id, name), granted: name }
  const secret = Secret.fromSecretNameV2(scope, id, name)
  // A secret's own ARN ends in a hyphen and six characters that nobody chose.
  return { secret, granted: `${secret.secretArn}-??????` }
}

/** What allows to read a secret, and to decrypt it by Secrets Manager alone where a key of somebody's own is on it. */
export function readingSecret(scope: Construct, secretArn: string, encryptionKey: string | undefined) {
  const reading = new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [secretArn] })
  if (encryptionKey === undefined) return [reading]
  const conditions = { StringEquals: { 'kms:ViaService': `secretsmanager.${Stack.of(scope).region}.amazonaws.com` } }
  return [reading, new PolicyStatement({ actions: ['kms:Decrypt'], resources: [encryptionKey], conditions })]
}
