import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/*
 * `node .ci/complete-lock.ts`, after `npm install`: npm leaves out of the lock file the optional packages that it could
 * not look up (a registry without the builds for other platforms), and `npm ci` then refuses the lock file. This names
 * them, with their version and platform, so that `npm ci` skips them here and installs them where they belong; and asks
 * the registry for each hash that is missing, so that nothing is installed that is not known by its content.
 */

const run = promisify(execFile)

interface LockedPackage {
  version: string
  integrity?: string
  link?: boolean
  inBundle?: boolean
  optional?: boolean
  dev?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32', 'aix']
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32']

function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> | null {
  const words = name.split(/[/-]/)
  const os = words.find((word) => SYSTEMS.includes(word))
  const cpu = words.find((word) => PROCESSORS.includes(word))
  if (os === undefined || cpu === undefined) return null
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : null
  return { os: [os], cpu: [cpu], ...(libc === null ? {} : { libc }) }
}

const file = new URL('../package-lock.json', import.meta.url)
const lock: { packages: Record<string, LockedPackage> } = JSON.parse(await readFile(file, 'utf8'))
for (const locked of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
    const platform = platformOf(name)
    if (lock.packages[`node_modules/${name}`] !== undefined || platform === null || !/^\d/.test(version)) continue
    lock.packages[`node_modules/${name}`] = {
      version,
      ...platform,
      ...(locked.dev ? { dev: true } : {}),
      optional: true,
    }
  }
}
for (const [path, locked] of Object.entries(lock.packages)) {
  const [, name] = /.*node_modules\/(.+)$/.exec(path) ?? []
  if (name === undefined || locked.link || locked.inBundle || locked.integrity !== undefined) continue
  const { stdout } = await run('npm', ['view', `${name}@${locked.version}`, 'dist.integrity'])
  if (stdout.trim() === '') throw new Error(`The registry knows no ${name}@${locked.version}: take another version.`)
  lock.packages[path] = { version: locked.version, integrity: stdout.trim(), ...locked }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([one], [other]) => (one < other ? -1 : 1)))
await writeFile(file, `${JSON.stringify(lock, null, 2)}\n`)
