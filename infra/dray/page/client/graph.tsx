import dagre from '@dagrejs/dagre'
import { useMemo } from 'preact/hooks'
import { Wide } from './parts.tsx'

export interface GraphNode {
  readonly id: string
  readonly label: string
  /** Under the label: a status, or what it is. */
  readonly said: string
  readonly kind: 'step' | 'table'
  readonly status: string | null
  readonly href: string | null
}

export interface GraphEdge {
  readonly from: string
  readonly to: string
  readonly kind: 'after' | 'rows'
}

const LETTER = 7.6
const HEIGHT = 46
const MARGIN = 8
/** What stands beside a graph on a narrow screen: the margins of the page and of its card. */
const BESIDE = 66

interface Placed extends GraphNode {
  readonly x: number
  readonly y: number
  readonly width: number
}

type Direction = 'LR' | 'TB'

/** From left to right; downwards where that is too wide for the screen and the other is narrower. */
function laidOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[], room: number) {
  const across = inDirection(nodes, edges, 'LR')
  if (across.width <= room) return across
  const down = inDirection(nodes, edges, 'TB')
  return down.width < across.width ? down : across
}

function inDirection(nodes: readonly GraphNode[], edges: readonly GraphEdge[], direction: Direction) {
  const graph = new dagre.graphlib.Graph()
  const ranksep = direction === 'LR' ? 44 : 28
  graph.setGraph({ rankdir: direction, nodesep: 16, ranksep, marginx: MARGIN, marginy: MARGIN })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id, label } of nodes)
    graph.setNode(id, { width: Math.max(96, label.length * LETTER + 28), height: HEIGHT })
  for (const { from, to } of edges) graph.setEdge(from, to)
  dagre.layout(graph)
  const placed = nodes.map((node): Placed => ({ ...node, ...(graph.node(node.id) as Placed) }))
  const lines = edges.map((edge) => ({ ...edge, points: graph.edge(edge.from, edge.to)?.points ?? [] }))
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return { placed, lines, width, height, direction }
}

/** Steps, and tables between them. */
export function Graph({
  label,
  nodes,
  edges,
}: {
  readonly label: string
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}) {
  const shape = JSON.stringify([nodes.map(({ id, label: text }) => [id, text]), edges])
  const room = document.documentElement.clientWidth - BESIDE
  const { lines, width, height, places, direction } = useMemo(() => {
    const found = laidOut(nodes, edges, room)
    return { ...found, places: new Map(found.placed.map(({ id, x, y, width: its }) => [id, { x, y, width: its }])) }
  }, [shape, room])
  return (
    <Wide label={label}>
      <svg
        class="graph"
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-label={label}
      >
        <defs>
          <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0 8 4 0 8z" class="tip" />
          </marker>
        </defs>
        {lines.map(({ from, to, kind, points }) => (
          <path key={`${from} ${to}`} class={`edge ${kind}`} d={pathOf(points, direction)} marker-end="url(#arrow)" />
        ))}
        {nodes.map((node) => {
          const place = places.get(node.id)
          return place === undefined ? null : <Node key={node.id} {...node} {...place} />
        })}
      </svg>
    </Wide>
  )
}

function Node({ label, said, kind, status, href, x, y, width }: Placed) {
  const shape = (
    <>
      <rect
        x={x - width / 2}
        y={y - HEIGHT / 2}
        width={width}
        height={HEIGHT}
        rx={kind === 'table' ? 2 : 8}
        class={`node ${kind} ${status ?? ''}`}
      />
      <text x={x} y={y - 3} class="name">
        {label}
      </text>{' '}
      <text x={x} y={y + 14} class={`said ${status ?? ''}`}>
        {said}
      </text>
    </>
  )
  if (href === null) return <g>{shape}</g>
  return <a href={href}>{shape}</a>
}

function pathOf(points: readonly { readonly x: number; readonly y: number }[], direction: Direction): string {
  const [first, ...rest] = points
  if (first === undefined) return ''
  const last = rest.at(-1) ?? first
  if (direction === 'TB' && rest.length <= 2) {
    const between = (first.y + last.y) / 2
    return `M${first.x} ${first.y}C${first.x} ${between} ${last.x} ${between} ${last.x} ${last.y}`
  }
  const middle = (first.x + last.x) / 2
  if (rest.length <= 2) return `M${first.x} ${first.y}C${middle} ${first.y} ${middle} ${last.y} ${last.x} ${last.y}`
  return `M${first.x} ${first.y}${rest.map(({ x, y }) => `L${x} ${y}`).join('')}`
}
