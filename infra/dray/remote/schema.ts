import { ConfigurationError, TerminalError, TransientError } from 'dray/internal/errors.ts'
import { checked } from 'dray/internal/messages/message.ts'
import { type SchemaInput, schemaOutput, type TableChanges } from 'dray/internal/messages/schema.ts'
import { schemaFunctionName } from '#dray-infra/aws/names.ts'
import { environmentNamed } from '#dray-infra/project/environments.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { explained } from './refusals.ts'

/** There is no function that looks at tables: nothing is deployed yet, or what is deployed has none. */
export class NoSchemaFunction extends ConfigurationError {}

/**
 * Has the function in the network of an environment's databases do what is asked. Throws what `fitSchema` throws, and
 * `Configuration` where the environment, its function or the right to call it is missing.
 */
export async function fitDeployedSchema(name: string, input: SchemaInput): Promise<readonly TableChanges[]> {
  const { region } = environmentNamed(name, await loadProject())
  if (region !== undefined) process.env.AWS_REGION = region
  const { InvokeCommand, LambdaClient } = await import('@aws-sdk/client-lambda')
  // It may work for a quarter of an hour. Whatever is sent twice is planned anew, so nothing is done twice.
  const client = new LambdaClient({ requestHandler: { requestTimeout: 910_000 } })
  try {
    const command = new InvokeCommand({ FunctionName: schemaFunctionName(name), Payload: JSON.stringify(input) })
    const { FunctionError, Payload = new Uint8Array() } = await client.send(command)
    return answerOf(JSON.parse(Buffer.from(Payload).toString()), FunctionError !== undefined, name)
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') throw missing(name, error)
    throw explained(error, name)
  } finally {
    client.destroy()
  }
}

function missing(name: string, cause: Error): NoSchemaFunction {
  return new NoSchemaFunction(
    `${name} has no function that looks at its tables, so they were not looked at and nothing was changed; deploy it first: \`npx dray deploy ${name}\``,
    { cause },
  )
}

function answerOf(answer: unknown, hasFailed: boolean, name: string): readonly TableChanges[] {
  if (hasFailed) throw failureOf(answer as { readonly errorType?: string; readonly errorMessage?: string }, name)
  const found = checked(schemaOutput, answer)
  if ('data' in found) return found.data.tables
  throw new TerminalError(
    `The function ${schemaFunctionName(name)} has answered in words that this version of Dray does not know (${found.fault}); whether it has changed anything is not known: look with npx dray schema plan --env ${name} once both are of one version.`,
  )
}

function failureOf({ errorType = '', errorMessage = '' }: { errorType?: string; errorMessage?: string }, name: string) {
  if (errorType === 'Configuration') return new ConfigurationError(errorMessage)
  if (errorType === 'Transient') return new TransientError(errorMessage)
  if (errorType === 'Terminal') return new TerminalError(errorMessage)
  return new TerminalError(
    `The function ${schemaFunctionName(name)} has failed (${[errorType, errorMessage].filter(Boolean).join(': ') || 'it said nothing'}); look what was done: npx dray schema plan --env ${name}`,
  )
}
