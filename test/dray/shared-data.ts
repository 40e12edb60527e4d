import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Real data that lies beside the project and is not part of it; DRAY_SHARED_DATA says where, `../shared/data`
 * otherwise.
 */
const folder = process.env.DRAY_SHARED_DATA ?? join(import.meta.dirname, '../../../shared/data')

/** The path of a file or folder of the shared data. */
export function sharedData(...path: readonly string[]): string {
  return join(folder, ...path)
}

/** For `skip`: why tests on the shared data cannot run here, or false. */
export const withoutSharedData: string | false = existsSync(folder)
  ? false
  : 'the shared data is not beside the project; set DRAY_SHARED_DATA to its folder'
