import { spawnSync } from 'node:child_process'

/** Runs apt-get without a question; returns what it says last where it fails, or null. */
export function aptGet(parameters: readonly string[]): string | null {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const result = spawnSync('apt-get', ['-q', ...parameters], {
    env: environment,
    encoding: 'utf8',
    timeout: 8 * 60_000,
  })
  if (result.status === 0) return null
  return (result.stderr ?? '').trim().split('\n').pop() || String(result.error ?? `it ended with ${result.status}`)
}
