import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectFolder } from 'dray-infra/internal/project/project-folder.ts'
import { limitResult, progress, type Result } from './measure.ts'

const ROUNDS = 5

/** A run that finds nothing new, as a person waits for it: `npx dray run orders` while `dray services` is up. */
export async function incremental(): Promise<Result[]> {
  const home = await mkdtemp(join(tmpdir(), 'dray-bench-home-'))
  await chmod(home, 0o755)
  let services: ChildProcess | null = null
  try {
    progress('first run, with the demo data')
    services = dray(home, ['services'])
    await once(services.stdout as NodeJS.ReadableStream, 'data')
    await ended(dray(home, ['run', '--demo', '--progress', 'none']))
    const seconds: number[] = []
    for (let round = 0; round <= ROUNDS; round++) {
      const start = performance.now()
      await ended(dray(home, ['run', 'orders', '--progress', 'none']))
      if (round > 0) seconds.push((performance.now() - start) / 1000)
    }
    const note = 'npx dray run orders, the process and its threads included'
    return [limitResult('an incremental run with nothing new, services up', 's', seconds, 1.5, note)]
  } finally {
    if (services !== null && services.exitCode === null) {
      const end = once(services, 'exit')
      services.kill('SIGTERM')
      await end
    }
    await rm(home, { recursive: true, force: true })
  }
}

function dray(home: string, args: readonly string[]): ChildProcess {
  const rest = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.endsWith('_DATABASE_URL')))
  const direct = args[0] === 'services'
  const [program, ...first] = direct ? [process.execPath, 'infra/dray/cli/dray.ts'] : ['npx', '--no-install', 'dray']
  return spawn(program as string, [...first, ...args], {
    cwd: projectFolder,
    env: { ...rest, DRAY_HOME: home },
    stdio: ['ignore', 'pipe', 2],
  })
}

async function ended(child: ChildProcess): Promise<void> {
  child.stdout?.resume()
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`dray ended with ${code}`)
}
