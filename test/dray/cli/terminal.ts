import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { fixtureFolder } from '#test/fixture-project.ts'

export interface Terminal {
  readonly home: string
  readonly urls: Readonly<Record<string, string>>
  readonly folder?: string
  /** Of the window. */
  readonly columns?: number
  /** Typed at each question; Ctrl-C is `\x03`, the end of the input `\x04`, which comes when there is none left. */
  readonly answers?: readonly string[]
}

/** Only there is `script` the command that makes a terminal in this way. */
export const NO_TERMINAL: string | false = process.platform !== 'linux' && 'script is another command here'

/** Runs the command on a terminal, which `script` of Linux makes. */
export async function onTerminal(
  args: readonly string[],
  { home, urls, folder = fixtureFolder, columns = 80, answers = [] }: Terminal,
): Promise<{ readonly code: number; readonly output: string; readonly asked: number }> {
  const words = [process.execPath, join(packageFolder, 'cli/dray.ts'), ...args].map((word) => `'${word}'`)
  const command = `stty cols ${columns} rows 50; exec ${words.join(' ')}`
  const child: ChildProcess = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
    cwd: folder,
    env: { ...process.env, HOME: home, DRAY_HOME: home, NO_COLOR: '1', ...urls },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const left = [...answers]
  let output = ''
  let asked = 0
  child.stdout?.on('data', (data: Buffer) => {
    output += data
    const questions = output.split('[y/N]').length - 1
    for (; asked < questions; asked += 1) child.stdin?.write(left.shift() ?? '\x04')
  })
  const [code] = await once(child, 'close')
  return { code, output: output.replaceAll('\r\n', '\n'), asked }
}
