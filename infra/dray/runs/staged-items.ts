import { readJsonArray } from 'dray/internal/staging/documents.ts'
import { createStagingStore } from 'dray/internal/staging/staging-url.ts'

/** Reads the items of a Distributed Map out of the folder that stands for the bucket. */
export async function readStagedItems({ key }: { readonly key: string }): Promise<unknown> {
  return readJsonArray(await createStagingStore(process.env.STAGING_URL ?? ''), key)
}
