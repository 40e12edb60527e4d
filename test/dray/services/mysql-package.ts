import { execFile } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withInstallLock } from './install-lock.ts'
import { refusalToInstall } from './installing.ts'

const run = promisify(execFile)

/** Where the packages lie once they are unpacked; an account that is not root's can reach it. */
const CACHE = '/var/tmp/dray-mysql'
const PACKAGE = 'mysql-server-core'
/** Debian's keys, where the sources of a machine name them for themselves. */
const KEYRINGS = ['/usr/share/keyrings/debian-archive-keyring.pgp', '/usr/share/keyrings/debian-archive-keyring.gpg']
const MILLISECONDS = 8 * 60_000
const OF_DEBIAN = /\/debian\/?$/

/** A MySQL that is not installed, but unpacked. */
export interface UnpackedMysql {
  /** What `/usr` would be. */
  readonly base: string
  /** The unpacked dynamic loader with the unpacked libraries: the system's own may be older. */
  readonly mysqld: readonly string[]
  /** A folder beside it for what is kept, e.g. a new server's files. */
  readonly cache: string
}

/**
 * Downloads and unpacks MySQL with the libraries that it needs, where that is asked for, once for all test files that
 * ask at the same time. The packages are those of Debian's unstable distribution, as the machine's own mirror has them;
 * nothing of the system is replaced. Returns why not, where it cannot be had.
 */
export async function unpackMysql(): Promise<UnpackedMysql | string> {
  if (!existsSync('/usr/bin/apt-get')) return 'there is no apt-get to download MySQL with.'
  return withInstallLock('mysql', async () => {
    if (existsSync(CACHE) && !(await isOwn(CACHE))) return `${CACHE} belongs to another user.`
    const root = join(CACHE, 'root')
    if (!existsSync(root)) {
      const notAsked = refusalToInstall({
        missing: 'it is not here',
        does: `downloads 60 MB into ${CACHE}`,
        isOfRoot: false,
      })
      if (notAsked !== null) return notAsked
      const refusal = await download(root).catch((error) => lastLine(error))
      if (refusal !== null) return `apt-get could not download ${PACKAGE}: ${refusal}`
    }
    return unpacked(root)
  })
}

async function isOwn(folder: string): Promise<boolean> {
  const found = await lstat(folder)
  return found.isDirectory() && found.uid === process.getuid?.()
}

async function download(root: string): Promise<string | null> {
  const mirror = await configuredMirror()
  if (mirror === null) return 'no mirror of Debian is configured on this machine.'
  const work = join(CACHE, 'download')
  await rm(work, { recursive: true, force: true })
  for (const folder of ['lists/partial', 'cache/archives/partial', 'root']) {
    await mkdir(join(work, folder), { recursive: true, mode: 0o755 })
  }
  const keyring = KEYRINGS.find((path) => existsSync(path))
  const signed = keyring === undefined ? '' : `[signed-by=${keyring}] `
  await writeFile(join(work, 'sources.list'), `deb ${signed}${mirror} unstable main\n`)
  await writeFile(join(work, 'status'), '')
  await writeFile(join(work, 'apt.conf'), settings(work))
  const options = { env: { ...process.env, APT_CONFIG: join(work, 'apt.conf') }, timeout: MILLISECONDS }
  await run('apt-get', ['-q', 'update', '--error-on=any'], options)
  await run('apt-get', ['-q', '-y', '--download-only', 'install', PACKAGE], options)
  for (const file of globSync(join(work, 'cache/archives/*.deb'))) await run('dpkg', ['-x', file, join(work, 'root')])
  await rename(join(work, 'root'), root)
  await rm(work, { recursive: true, force: true })
  return null
}

/** Nothing of the system's lists, packages and caches is read or written. */
function settings(work: string): string {
  return `Dir::Etc::SourceList "${work}/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "${work}/lists";
Dir::State::Status "${work}/status";
Dir::Cache "${work}/cache";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
`
}

/** The mirror that the machine's own packages come from, as its settings of apt name it. */
async function configuredMirror(): Promise<string | null> {
  const format = '$(CREATED_BY) $(REPO_URI) $(COMPONENT)'
  const { stdout } = await run('apt-get', ['indextargets', '--format', format])
  const targets = stdout.split('\n').map((line) => line.split(' '))
  const found = targets.find(
    ([by, uri = '', component]) => by === 'Packages' && component === 'main' && OF_DEBIAN.test(uri),
  )
  return found?.[1] ?? null
}

function unpacked(root: string): UnpackedMysql | string {
  const base = join(root, 'usr')
  const [loader] = globSync(join(base, 'lib/*/ld-linux-*.so.*'))
  if (loader === undefined) return `${root} has no dynamic loader; remove ${CACHE} and try again.`
  const libraries = join(loader, '..')
  return { base, mysqld: [loader, '--library-path', libraries, join(base, 'sbin/mysqld')], cache: CACHE }
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as Error & { stderr?: string }
  return (stderr || message).trim().split('\n').pop() ?? ''
}
