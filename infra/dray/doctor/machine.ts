import { existsSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Checked, found } from 'dray/internal/database/health.ts'
import type { EnvFile } from '#dray-infra/project/env-file.ts'

const OLDEST_NODE = 24
/** A run stages what it reads. */
const LITTLE_BYTES = 1e9
const FULL_BYTES = 100e6

/** This machine, as far as the command needs it. */
export function examineMachine(home: string, envFile: EnvFile | null): readonly Checked[] {
  return [node(), disk(home), ...(envFile === null ? [] : environmentFile(envFile))]
}

function node(): Checked {
  const major = Number(process.versions.node.split('.')[0])
  if (major >= OLDEST_NODE) return found('node', 'ok', `Node ${process.versions.node} on ${process.platform}`)
  return found(
    'node',
    'broken',
    `Node ${process.versions.node} runs the command, and the sources need Node ${OLDEST_NODE}; run it by npx dray in the project, which brings one`,
  )
}

/** Of the folder that the home is made in, where it is not there yet. */
function disk(home: string): Checked {
  let folder = home
  while (!existsSync(folder)) folder = dirname(folder)
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  const left = `${(free / 1e9).toFixed(1)} GB are free for ${home}`
  if (free >= LITTLE_BYTES) return found('disk', 'ok', left)
  const remedy = 'make room, or set DRAY_HOME to a folder on another disk'
  return free < FULL_BYTES
    ? found('disk', 'broken', `${left}, so a run could not stage what it reads; ${remedy}`)
    : found('disk', 'warning', `${left}, and a run stages what it reads there; ${remedy}`)
}

function environmentFile({ path, set, kept }: EnvFile): Checked[] {
  const names = (some: readonly string[]) => (some.length === 0 ? 'nothing' : some.join(', '))
  const won = kept.length === 0 ? '' : `; the environment has its own ${kept.join(', ')}`
  const read = found('.env', 'ok', `.env has set ${names(set)}${won}`)
  const isOpen = (statSync(path).mode & 0o077) !== 0
  if (!isOpen) return [read]
  const said = `${path} can be read by other users of this machine, who have its passwords then; chmod 600 ${path}`
  return [read, found('.env', 'warning', said)]
}
