import { writeJsonArray } from '#dray/staging/documents.ts'
import { itemsPrefix } from '#dray/staging/keys.ts'
import type { Services } from '../services.ts'

/** The items of a Map: in the payload, or staged where they are too many for it. */
export interface MapItems<Item> {
  readonly inline: readonly Item[]
  readonly distributed: boolean
  readonly items: { readonly bucket: string; readonly key: string } | null
}

/** `most` of them go into the payload; others are staged for the run of a pipeline or a replica. */
export async function mapItems<Item>(
  all: readonly Item[],
  most: number,
  { run, name }: { readonly run: string; readonly name: string },
  { staging, signal }: Services,
): Promise<MapItems<Item>> {
  if (all.length <= most) return { inline: all, distributed: false, items: null }
  const { key } = await writeJsonArray(staging, itemsPrefix(run, name), all, { signal })
  const [, bucket = '', inBucket = key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(staging.locate(key)) ?? []
  return { inline: [], distributed: true, items: { bucket, key: inBucket } }
}
