import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { progress } from './measure.ts'

const folder = join(import.meta.dirname, 'contenders')

/** Installs the libraries of the comparison into their own folder, unless exactly these are there. */
export async function installContenders(): Promise<void> {
  const lock = join(folder, 'package-lock.json')
  const installed = join(folder, 'node_modules', '.installed-lock.json')
  const [wanted, present] = await Promise.all([readFile(lock, 'utf8'), readFile(installed, 'utf8').catch(() => '')])
  if (wanted === present) return
  progress('installing the libraries to compare with (npm ci in test/benchmarks/contenders)')
  const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  const [code] = await once(npm, 'exit')
  if (code !== 0) throw new Error(`npm ci in ${folder} ended with ${code}, so there is nothing to compare with`)
  await copyFile(lock, installed)
}
