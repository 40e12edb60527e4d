import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda'

/** How many calls of functions an account may have at once in a region; null where AWS does not say. */
export async function accountConcurrency(): Promise<number | null> {
  const client = new LambdaClient()
  try {
    return (await client.send(new GetAccountSettingsCommand())).AccountLimit?.ConcurrentExecutions ?? null
  } finally {
    client.destroy()
  }
}
