import { createStagingStore } from 'dray/internal/staging/staging-url.ts'
import { openState } from '#dray-infra/local/state.ts'
import type { Stores } from './stores.ts'

/** The stores of the local services, which have to be up. */
export async function localStores(): Promise<Stores & { readonly state: Awaited<ReturnType<typeof openState>> }> {
  return { state: await openState(), staging: await createStagingStore(process.env.STAGING_URL ?? '') }
}
