import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'

/** What allows to read a secret, and to decrypt it by Secrets Manager alone where a key of somebody's own is on it. */
export function readingSecret(scope: Construct, secretArn: string, encryptionKey: string | undefined) {
  const reading = new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [secretArn] })
  if (encryptionKey === undefined) return [reading]
  const conditions = { StringEquals: { 'kms:ViaService': `secretsmanager.${Stack.of(scope).region}.amazonaws.com` } }
  return [reading, new PolicyStatement({ actions: ['kms:Decrypt'], resources: [encryptionKey], conditions })]
}
