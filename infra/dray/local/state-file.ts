import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { makeHome } from './home.ts'
import { isOnesOwn, makePrivateFile } from './private-files.ts'

/** The URL, as `STATE_ENDPOINT` has it, of a file of items. */
export const fileEndpoint = (file: string): string => `sqlite:${file}`

/** The file of such a URL; null where it is another one. */
export function fileOfEndpoint(endpoint: string): string | null {
  return endpoint.startsWith('sqlite:') ? endpoint.slice('sqlite:'.length) : null
}

/**
 * Makes the file that holds the state of this folder, for its user alone, with what an earlier version has left.
 * Returns its URL. Throws `Configuration` where it is somebody else's.
 */
export async function prepareStateFile(home: string): Promise<string> {
  makeHome(home)
  const file = join(home, 'state.db')
  if (!existsSync(file)) {
    const { copyEarlierState, earlierState } = await import('./earlier-state.ts')
    if (existsSync(earlierState(home))) await copyEarlierState(home, file)
  }
  makePrivateFile(file)
  if (isOnesOwn(file)) return fileEndpoint(file)
  throw new ConfigurationError(
    `The local state ${file} belongs to another user, or everybody can write to it, so it was neither read nor written; make it yours, or have another folder: DRAY_HOME=<folder>`,
  )
}
