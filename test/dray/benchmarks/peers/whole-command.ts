import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

/** What a command has taken with all that it has started, servers aside. */
export interface Taken {
  /** Seconds on the clock. */
  readonly wall: number
  /** Seconds of processors. */
  readonly processor: number
  /** The most that its processes had resident at a time, in MB. */
  readonly memory: number
}

export interface WholeCommand {
  /** For bash. */
  readonly line: string
  readonly environment: NodeJS.ProcessEnv
}

/** How often the memory of its processes is added up, in ms. */
const LOOK_MS = 200

/** Runs a command to its end; what it prints goes to `printed` in the folder. Throws when it fails. */
export async function runWhole(name: string, command: WholeCommand, folder: string): Promise<Taken> {
  const printed = join(folder, 'printed')
  const script = `TIMEFORMAT='%R %U %S'; time { ${command.line} >${printed} 2>&1; }`
  const child = spawn('bash', ['-o', 'pipefail', '-c', script], {
    env: { ...process.env, ...command.environment },
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group, by which its processes are found.
    detached: true,
  })
  let most = 0
  const look = setInterval(async () => {
    most = Math.max(most, await residentOf(child.pid as number))
  }, LOOK_MS)
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]).finally(() =>
    clearInterval(look),
  )
  if (code !== 0) {
    const last = await readFile(printed, 'utf8').catch(() => '')
    throw new Error(`${name} ended with ${code}: ${said.slice(-1_000)}\n${last.slice(-2_000)}`)
  }
  const [wall = 0, user = 0, system = 0] = (said.trim().split('\n').at(-1) ?? '').split(' ').map(Number)
  return { wall, processor: user + system, memory: Math.round(most) }
}

const PAGES_PER_MB = 256

/** The MB that the processes of a group have resident; 0 where the system does not say. */
async function residentOf(group: number): Promise<number> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const pages = await Promise.all(
    ids.map(async (id) => {
      const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return Number(fields[2]) === group ? Number(fields[21]) : 0
    }),
  )
  return pages.reduce((sum, count) => sum + count, 0) / PAGES_PER_MB
}
