import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative, resolve } from 'node:path'
import { text } from 'node:stream/consumers'

const root = resolve(import.meta.dirname, '../../..')
const LEFT = new Set(['node_modules', '.dray', 'cdk.out', '.git'])

/** A copy of this repository without what npm and its commands have made, in a folder of its own. */
export async function clone(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-clone-'))
  // PostgreSQL's account has to pass where the tests run as root.
  await chmod(folder, 0o755)
  await cp(root, folder, { recursive: true, filter: (source) => source === root || !LEFT.has(basename(source)) })
  return folder
}

/** Lays a project of the tests over a clone. */
export async function overlay(folder: string, name: string): Promise<void> {
  const from = join(import.meta.dirname, name)
  await cp(from, folder, { recursive: true, filter: (source) => relative(from, source) !== 'package.json' })
}

/**
 * Runs a command line in a folder, as somebody who has just cloned it; returns what it printed. Throws with its last
 * lines.
 */
export async function inFolder(folder: string, command: string): Promise<string> {
  const start = performance.now()
  const { PATH = '', HOME, CI } = process.env
  const own = PATH.split(':').filter((entry) => !entry.includes('node_modules'))
  const child = spawn('sh', ['-c', `${command} 2>&1`], {
    cwd: folder,
    env: { PATH: own.join(':'), HOME, ...(CI === undefined ? {} : { CI }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  process.stdout.write(`$ ${command}: ${Math.round((performance.now() - start) / 1000)} s\n`)
  if (code === 0) return printed
  throw new Error(`\`${command}\` in ${folder} ended with ${code}:\n${printed.split('\n').slice(-60).join('\n')}`)
}
