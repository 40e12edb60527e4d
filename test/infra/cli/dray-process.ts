import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { projectFolder } from '#infra/local/home.ts'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A `.dray` folder of its own, which PostgreSQL's account can reach where the tests run as root. */
export function temporaryHome(): { home: string; remove(): void } {
  const home = mkdtempSync(join(tmpdir(), 'dray-home-'))
  chmodSync(home, 0o755)
  return { home, remove: () => rmSync(home, { recursive: true, force: true }) }
}

/** Starts the command as a user would, as a process of its own. */
export function startDray(home: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const { CRM_DATABASE_URL, SALES_DATABASE_URL, WAREHOUSE_DATABASE_URL, FORCE_COLOR, ...rest } = process.env
  const child = spawn(process.execPath, [join(projectFolder, 'infra/cli/dray.ts'), ...args], {
    cwd: projectFolder,
    env: { ...rest, DRAY_HOME: home, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = (async (): Promise<Ended> => {
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
    ])
    return { code, signal, stdout, stderr }
  })()
  return { child, ended }
}

export function dray(home: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return startDray(home, args, environment).ended
}
