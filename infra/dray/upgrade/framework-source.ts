import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationError } from 'dray/internal/errors.ts'

/** A version of the framework in a folder of this machine. */
export interface FrameworkSource {
  readonly folder: string
  readonly version: string
  /** Removes what was fetched. */
  close(): Promise<void>
}

/**
 * The framework in a folder, or in a Git repository at a ref, `https://example.com/dray.git#v1.2.0`. Throws
 * `Configuration` where there is none.
 */
export async function openSource(place: string): Promise<FrameworkSource> {
  if (existsSync(place))
    return { folder: resolve(place), version: versionIn(resolve(place), place), close: async () => {} }
  const [, url = '', ref = ''] = /^(.+)#([^#]+)$/.exec(place) ?? []
  if (ref === '') {
    throw new ConfigurationError(
      `${place} is no folder and no Git URL with a ref, so nothing was changed; write dray upgrade <folder> or dray upgrade https://example.com/dray.git#v1.2.0.`,
    )
  }
  const folder = await mkdtemp(join(tmpdir(), 'dray-upgrade-'))
  const close = () => rm(folder, { recursive: true, force: true })
  try {
    await promisify(execFile)('git', ['clone', '--quiet', '--depth', '1', '--branch', ref, '--', url, folder])
    return { folder, version: versionIn(folder, place), close }
  } catch (cause) {
    await close()
    if (cause instanceof ConfigurationError) throw cause
    const reason = (cause as { stderr?: string }).stderr?.trim() || (cause as Error).message
    throw new ConfigurationError(`${url} cannot be fetched at ${ref}, so nothing was changed: ${reason}`, { cause })
  }
}

function versionIn(folder: string, place: string): string {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'shared/dray/package.json'), 'utf8'))
    if (name === 'dray' && existsSync(join(folder, 'infra/dray/package.json'))) return version
  } catch {
    // Told below.
  }
  throw new ConfigurationError(
    `There is no Dray in ${place} (shared/dray and infra/dray), so nothing was changed; name the folder or repository of a project that has it.`,
  )
}
