import { existsSync } from 'node:fs'
import { aptGet } from './apt-get.ts'
import { withInstallLock } from './install-lock.ts'
import { refusalToInstall } from './installing.ts'

/** Where Debian has it, and where others may have put one. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** The browser of the tests, installed where that is asked for; or why there is none. */
export async function chromium(): Promise<{ readonly path: string } | { readonly unavailable: string }> {
  const found = PLACES.find((path) => existsSync(path))
  if (found !== undefined) return { path: found }
  const refusal = await install()
  const [path = ''] = PLACES
  return refusal === null ? { path } : { unavailable: refusal }
}

async function install(): Promise<string | null> {
  const refusal = refusalToInstall({
    missing: 'chromium is not installed',
    does: "installs Debian's chromium",
    isOfRoot: true,
  })
  if (refusal !== null) return refusal
  if (!existsSync('/usr/bin/apt-get')) return 'chromium is not installed, and there is no apt-get to install it with.'
  return withInstallLock('chromium', async () => {
    if (existsSync('/usr/bin/chromium')) return null
    const packages = ['install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core']
    if (aptGet(packages) === null) return null
    aptGet(['update'])
    const said = aptGet(packages)
    return said === null ? null : `chromium is not installed, and apt-get could not install it: ${said}`
  })
}
