import { fileURLToPath } from 'node:url'
import { ConfigurationError } from '#dray/errors.ts'
import { FolderStagingStore } from './folder-staging-store.ts'
import type { StagingStore } from './staging-store.ts'

const SCHEME = /^[a-z][a-z0-9+.-]+:/i

function folderOf(url: string): string {
  if (!SCHEME.test(url)) return url
  // `new URL('file:relative')` would silently start at the root of the file system.
  if (url.startsWith('file:') && !url.startsWith('file:/')) return url.slice('file:'.length)
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw misconfigured(url, error)
  }
}

function misconfigured(url: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(
    `${JSON.stringify(url)} is not a place for staging, so nothing can be staged. ` +
      'Use a folder, file:///folder or s3://bucket/prefix.',
    { cause },
  )
}

/**
 * Opens the staging store at a folder, a `file:` URL or `s3://bucket/prefix`. The SDK is loaded for S3 only; it takes
 * region, credentials and endpoint (`AWS_ENDPOINT_URL_S3`) from the environment. Throws `Configuration` for other URLs.
 */
export async function createStagingStore(url: string): Promise<StagingStore> {
  if (url.startsWith('s3://')) {
    const { S3StagingStore } = await import('./s3-staging-store.ts')
    const [, bucket, prefix] = /^s3:\/\/([a-z0-9][a-z0-9.-]+)(?:\/(.*?))?\/?$/.exec(url) ?? []
    if (bucket === undefined) throw misconfigured(url)
    return new S3StagingStore({ bucket, prefix: prefix ?? '' })
  }
  const folder = folderOf(url)
  if (folder === '') throw misconfigured(url)
  return new FolderStagingStore(folder)
}
