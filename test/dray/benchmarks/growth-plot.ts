import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { projectFolder } from 'dray-infra/internal/project/project-folder.ts'

/** What one run has taken. */
export interface Point {
  /** How many rows, tables or partitions there were. */
  readonly at: number
  /** Seconds on the clock, and of processors. */
  readonly wall: number
  readonly processor: number
  /** MB. */
  readonly memory: number
  /** On AWS, as `dray plan` says it. */
  readonly usDollars: number
}

export interface Curve {
  readonly name: string
  readonly points: readonly Point[]
}

const WIDTH = 300
const HEIGHT = 220
const MARGIN = { left: 56, top: 40, right: 24, bottom: 44 }
const LINES = [
  { of: 'wall', name: 'seconds', colour: '#2563eb' },
  { of: 'processor', name: 'seconds of processors', colour: '#b45309' },
  { of: 'memory', name: 'memory, 100 MB', colour: '#15803d' },
] as const

/** Draws the curves beside each other, each axis by powers of ten, into docs/images/growth.svg. */
export async function writePlot(curves: readonly Curve[]): Promise<void> {
  const drawn = curves.map((curve, place) => `<g transform="translate(${place * WIDTH} 0)">${chart(curve)}</g>`)
  const legend = LINES.map(
    ({ name, colour }, place) =>
      `<text x="${MARGIN.left + place * 200}" y="${HEIGHT + 24}" fill="${colour}">● ${name}</text>`,
  )
  const size = { width: curves.length * WIDTH, height: HEIGHT + 40 }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="system-ui, sans-serif" font-size="11">
<rect width="${size.width}" height="${size.height}" fill="#fff"/>
${[...drawn, ...legend].join('\n')}
</svg>
`
  await writeFile(join(projectFolder, 'docs/images/growth.svg'), svg)
}

function chart({ name, points }: Curve): string {
  const values = points.flatMap((point) => LINES.map(({ of }) => shown(point, of)))
  const x = scale(
    points.map(({ at }) => at),
    MARGIN.left,
    WIDTH - MARGIN.right,
  )
  const y = scale(values, HEIGHT - MARGIN.bottom, MARGIN.top)
  const lines = LINES.map(({ of, colour }) => {
    const places = points.map((point) => `${x(point.at)},${y(shown(point, of))}`)
    const dots = places.map(
      (place) => `<circle cx="${place.split(',')[0]}" cy="${place.split(',')[1]}" r="3" fill="${colour}"/>`,
    )
    return `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>${dots.join('')}`
  })
  const below = points.map(({ at }) => label(x(at), HEIGHT - MARGIN.bottom + 16, at, 'middle'))
  const beside = tens(values).map(
    (value) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>${label(MARGIN.left - 8, y(value) + 4, value, 'end')}`,
  )
  return [`<text x="${MARGIN.left}" y="20" font-weight="600">${name}</text>`, ...beside, ...lines, ...below].join('')
}

const shown = (point: Point, of: (typeof LINES)[number]['of']) => (of === 'memory' ? point.memory / 100 : point[of])

/** The powers of ten around all values. */
function tens(values: readonly number[]): number[] {
  const [from, until] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))]
  return Array.from({ length: until - from + 1 }, (_, place) => 10 ** (from + place))
}

function scale(values: readonly number[], from: number, until: number): (value: number) => number {
  const around = tens(values).map(Math.log10)
  const [low = 0, high = 1] = [around[0], around.at(-1)]
  const reach = Math.max(1, high - low)
  return (value) => Math.round(from + ((Math.log10(value) - low) / reach) * (until - from))
}

function label(x: number, y: number, value: number, anchor: 'middle' | 'end'): string {
  const text = value >= 1e6 ? `${value / 1e6} M` : value >= 1e3 ? `${value / 1e3} k` : String(value)
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#555">${text}</text>`
}
