import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageFolder, projectFolder } from 'dray-infra/internal/project/project-folder.ts'

/*
 * Records the second `npm start` of the example, and what is in its quarantine, for the README:
 * `node24 test/dray/page/record-terminal.ts` writes docs/images/terminal.svg. Pauses are cut to PAUSE_MS.
 */

const PAUSE_MS = 600
const COLUMNS = 120
const CHARACTER = { width: 7.2, height: 17 } as const
const MARGIN = 16
/** How long the last picture stays. */
const REST_MS = 6_000

const FONT = '12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'
const STYLE = `text{font:${FONT};fill:#d6dbe3;white-space:pre}
.typed{fill:#fff;font-weight:600}.good{fill:#7fd1a0}.odd{fill:#e8c37a}`

interface Line {
  readonly at: number
  readonly text: string
}

const home = mkdtempSync(join(tmpdir(), 'dray-recorded-'))

/** The lines of a command, each with when it came. */
async function recorded(args: readonly string[]): Promise<readonly Line[]> {
  const child = spawn(process.execPath, [join(packageFolder, 'cli/dray.ts'), ...args], {
    cwd: projectFolder,
    env: { ...process.env, DRAY_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: Line[] = []
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream.setEncoding('utf8').on('data', (text: string) => {
      const all = `${rest}${text}`.split('\n')
      rest = all.pop() ?? ''
      for (const line of all) lines.push({ at: performance.now(), text: line.replaceAll(home, '.dray') })
    })
  }
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`dray ${args.join(' ')} ended with ${code}: ${lines.at(-1)?.text}`)
  return lines
}

/** Moves lines to a clock that begins with the command, and waits for nothing longer than a pause. */
function timed(command: string, lines: readonly Line[], from: number): readonly Line[] {
  let [clock, last] = [from + PAUSE_MS, lines[0]?.at ?? 0]
  const rest = lines.map(({ at, text }) => {
    clock += Math.min(at - last, PAUSE_MS)
    last = at
    return { at: clock, text }
  })
  return [{ at: from, text: `$ ${command}` }, ...rest]
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function cut(text: string): string {
  return text.length > COLUMNS ? `${text.slice(0, COLUMNS - 1)}…` : text
}

function kindOf(text: string): string {
  if (text.startsWith('$ ')) return 'typed'
  if (/\bsuccess\b/.test(text)) return 'good'
  return /quarantine\/|note:/.test(text) ? 'odd' : ''
}

function svgOf(lines: readonly Line[]): string {
  const width = Math.ceil(COLUMNS * CHARACTER.width + 2 * MARGIN)
  const height = Math.ceil(lines.length * CHARACTER.height + 2 * MARGIN)
  const total = ((lines.at(-1)?.at ?? 0) + REST_MS) / 1000
  const shown = lines.map(({ at, text }, place) => {
    const y = (MARGIN + (place + 0.75) * CHARACTER.height).toFixed(1)
    const share = (at / 10 / total).toFixed(1)
    const frames = `0%,${share}%{opacity:0}${(Number(share) + 0.1).toFixed(1)}%,100%{opacity:1}`
    return {
      rule: `@keyframes l${place}{${frames}}#l${place}{animation-name:l${place}}`,
      line: `<text id="l${place}" class="${kindOf(text)}" x="${MARGIN}" y="${y}">${escaped(cut(text))}</text>`,
    }
  })
  const label = 'A terminal: the second npm start of the example, and what is in its quarantine'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
<style>${STYLE}
@media (prefers-reduced-motion:no-preference){text{animation:${total.toFixed(1)}s linear infinite}
${shown.map(({ rule }) => rule).join('\n')}}
</style>
<rect width="100%" height="100%" rx="8" fill="#161a21"/>
${shown.map(({ line }) => line).join('\n')}
</svg>
`
}

try {
  chmodSync(home, 0o755)
  await recorded(['run', '--demo', '--progress', 'log'])
  const again = await recorded(['run', '--demo', '--progress', 'log'])
  const first = timed('npm start', again, 0)
  const kept = await recorded(['quarantine', 'list', 'orders'])
  const second = timed('npx dray quarantine list orders', kept, (first.at(-1)?.at ?? 0) + 2 * PAUSE_MS)
  const file = join(projectFolder, 'docs/images/terminal.svg')
  writeFileSync(file, svgOf([...first, { at: second[0]?.at ?? 0, text: '' }, ...second]))
} finally {
  rmSync(home, { recursive: true, force: true })
}
