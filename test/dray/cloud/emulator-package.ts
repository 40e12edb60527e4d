import { EMULATOR_PACKAGES, installEmulator, installedEmulator } from 'dray-infra/internal/emulator/python.ts'
import { withInstallLock } from '#test/services/install-lock.ts'
import { refusalToInstall } from '#test/services/installing.ts'

const CACHE = '/var/tmp/dray-cloud'

/** The Python that has the emulator, or why it cannot be had. */
export type EmulatorPackage = { readonly python: string } | { readonly unavailable: string }

/** Installs the emulator into a folder beside the system, once for all, where that is asked for. */
export function emulatorPackage(): Promise<EmulatorPackage> {
  return withInstallLock('cloud', async () => {
    const installed = installedEmulator(CACHE)
    if (installed !== null) return { python: installed }
    const missing = 'the emulator of AWS is not here'
    const refusal = refusalToInstall({
      missing,
      does: `installs ${EMULATOR_PACKAGES[0]} into ${CACHE}`,
      isOfRoot: false,
    })
    if (refusal !== null) return { unavailable: refusal }
    try {
      return { python: await installEmulator(CACHE) }
    } catch (error) {
      return { unavailable: `${missing}, and could not be installed: ${(error as Error).message}` }
    }
  })
}
