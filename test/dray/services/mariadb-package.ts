import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { aptGet } from './apt-get.ts'
import { withInstallLock } from './install-lock.ts'
import { refusalToInstall } from './installing.ts'

const POLICY = '/usr/sbin/policy-rc.d'

/**
 * Installs Debian's mariadb-server once for all test files that ask at the same time, where that is asked for; returns
 * why not, or null.
 */
export async function installMariaDB(): Promise<string | null> {
  const refusal = refusalToInstall({
    missing: 'mariadbd is not installed',
    does: "installs Debian's mariadb-server",
    isOfRoot: true,
  })
  if (refusal !== null) return refusal
  if (!existsSync('/usr/bin/apt-get')) return 'mariadbd is not installed, and there is no apt-get to install it with.'
  return withInstallLock('mariadb', async () => (existsSync('/usr/sbin/mariadbd') ? null : install()))
}

async function install(): Promise<string | null> {
  // The package would start a server of the whole system; the policy forbids that for the time of the installation.
  const ownPolicy = !existsSync(POLICY)
  if (ownPolicy) await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    const packages = ['install', '-y', '--no-install-recommends', 'mariadb-server']
    if (aptGet(packages) === null) return null
    aptGet(['update'])
    const refusal = aptGet(packages)
    return refusal === null ? null : `mariadbd is not installed, and apt-get could not install it: ${refusal}`
  } finally {
    if (ownPolicy) await rm(POLICY, { force: true })
  }
}
