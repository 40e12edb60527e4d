import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withInstallLock } from '#test/services/install-lock.ts'
import { refusalToInstall } from '#test/services/installing.ts'

const run = promisify(execFile)

/** MIT: https://pypi.org/project/ministack */
const PACKAGES = ['ministack==1.5.33', 'cryptography==50.0.2']
const CACHE = '/var/tmp/dray-cloud'
const MILLISECONDS = 5 * 60_000

/** The Python that has the emulator, or why it cannot be had. */
export type EmulatorPackage = { readonly python: string } | { readonly unavailable: string }

/** Installs the emulator into a folder beside the system, once for all, where that is asked for. */
export function emulatorPackage(): Promise<EmulatorPackage> {
  const python = join(CACHE, 'bin/python')
  return withInstallLock('cloud', async () => {
    if (existsSync(join(CACHE, 'bin/ministack'))) return { python }
    const missing = 'the emulator of AWS is not here'
    const refusal = refusalToInstall({ missing, does: `installs ${PACKAGES[0]} into ${CACHE}`, isOfRoot: false })
    if (refusal !== null) return { unavailable: refusal }
    try {
      await run('python3', ['-m', 'venv', CACHE], { timeout: MILLISECONDS })
      await run(python, ['-m', 'pip', 'install', '--quiet', ...PACKAGES], { timeout: MILLISECONDS })
      return { python }
    } catch (error) {
      await rm(CACHE, { recursive: true, force: true })
      return { unavailable: `${missing}, and could not be installed: ${(error as Error).message}` }
    }
  })
}
