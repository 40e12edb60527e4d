import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { projectFolder } from 'dray-infra/internal/project/project-folder.ts'
import { progress } from '../measure.ts'

const PACKAGES = [
  'sling-linux-amd64==1.4.11',
  'dlt[postgres,sql-database]==1.31.0',
  'connectorx==0.4.6',
  'pyarrow==26.0.1',
  'pymysql[rsa]==1.1.2',
]

/** Where other tools are installed, once; null where there is no Python, or the packages cannot be had. */
export async function peerPackages(): Promise<string | null> {
  const folder = join(projectFolder, '.dray', 'bench-peers')
  if (existsSync(join(folder, 'installed'))) return folder
  if (spawnSync('python3', ['--version']).status !== 0) {
    progress('no python3 here: other tools are left out')
    return null
  }
  progress(`installing ${PACKAGES.join(', ')}`)
  await mkdir(folder, { recursive: true })
  const { status } = spawnSync('python3', ['-m', 'pip', 'install', '-q', '--target', folder, ...PACKAGES], {
    stdio: ['ignore', 'ignore', 2],
  })
  if (status !== 0) {
    progress('the packages could not be installed: other tools are left out')
    return null
  }
  await mkdir(join(folder, 'installed'))
  return folder
}
