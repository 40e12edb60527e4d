import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda'

/** What Lambda allows an account in a region, and what of it is used; null where AWS does not say. */
export interface AccountLimits {
  /** Calls of functions at once. */
  readonly concurrency: number | null
  /** Bytes of the code of all functions and their versions. */
  readonly code: { readonly used: number; readonly most: number } | null
}

export async function accountLimits(): Promise<AccountLimits> {
  const client = new LambdaClient()
  try {
    const { AccountLimit: limit, AccountUsage: usage } = await client.send(new GetAccountSettingsCommand())
    const [most, used] = [limit?.TotalCodeSize, usage?.TotalCodeSize]
    return {
      concurrency: limit?.ConcurrentExecutions ?? null,
      code: most === undefined || used === undefined ? null : { used, most },
    }
  } finally {
    client.destroy()
  }
}
