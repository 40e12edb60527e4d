import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { fixtureFolder } from '#test/fixture-project.ts'
import { assertDeclared } from './printed-document.ts'

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

/** Starts the command as a user of the fixture, or of another project, would: as a process of its own. */
export function startDray(
  home: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  folder: string = fixtureFolder,
) {
  const kept = Object.entries(process.env).filter(([name]) => !/_DATABASE_URL$|^FORCE_COLOR$/.test(name))
  const child = spawn(process.execPath, [join(packageFolder, 'cli/dray.ts'), ...args], {
    cwd: folder,
    // What somebody has set up in the home of their user, the CDK's cache of accounts say, is none of the tests'
    // business.
    env: { ...Object.fromEntries(kept), HOME: home, DRAY_HOME: home, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = (async (): Promise<Ended> => {
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
    ])
    if (code !== null) assertDeclared(args, stdout)
    return { code, signal, stdout, stderr }
  })()
  return { child, ended }
}

export function dray(home: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return startDray(home, args, environment).ended
}
