import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeptResource } from '#dray-infra/remote/kept-resources.ts'

/** What a proof has begun to make, beside its project: what it is taken down by, even after it was killed. */
export interface Made {
  /** The places of its servers. */
  readonly servers: string
  /** Whether a deployment was begun. */
  readonly isDeployed: boolean
  /** What outlives its stacks, as far as it was seen: once they are gone, nothing names it. */
  readonly kept: readonly KeptResource[]
}

export function madeFile(folder: string): string {
  return join(folder, 'made.json')
}

/** Null where nothing was made, or all is taken down. */
export async function readMade(folder: string): Promise<Made | null> {
  const text = await readFile(madeFile(folder), 'utf8').catch(() => null)
  return text === null ? null : (JSON.parse(text) as Made)
}

export function writeMade(folder: string, made: Made): Promise<void> {
  return writeFile(madeFile(folder), JSON.stringify(made), { mode: 0o600 })
}

export function forgetMade(folder: string): Promise<void> {
  return rm(madeFile(folder), { force: true })
}
