import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

/**
 * Where Node keeps what it has compiled of the command: beside the packages, which are the user's as well. Where it
 * keeps it by itself is in the folder for temporary files, under a name that another user of the machine can take
 * first; what that one puts there would be run.
 */
export const compileCache: string = join(import.meta.dirname, '../../../node_modules/.cache/dray')

/** Lets this process keep what it compiles, unless `NODE_COMPILE_CACHE` says another place. */
export function keepCompiled(): void {
  enableCompileCache(compileCache)
}
