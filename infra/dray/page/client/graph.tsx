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

interface Placed extends GraphNode {
  readonly x: number
  readonly y: number
  readonly width: number
}

function laidOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[]) {
  const graph = new dagre.graphlib.Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: 16, ranksep: 44, marginx: MARGIN, marginy: MARGIN })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id, label } of nodes)
    graph.setNode(id, { width: Math.max(96, label.length * LETTER + 28), height: HEIGHT })
  for (const { from, to } of edges) graph.setEdge(from, to)
  dagre.layout(graph)
  const placed = nodes.map((node): Placed => ({ ...node, ...(graph.node(node.id) as Placed) }))
  const lines = edges.map((edge) => ({ ...edge, points: graph.edge(edge.from, edge.to)?.points ?? [] }))
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return { placed, lines, width, height }
}

/** Steps, and tables between them, from left to right. */
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
  const { lines, width, height, places } = useMemo(() => {
    const found = laidOut(nodes, edges)
    return { ...found, places: new Map(found.placed.map(({ id, x, y, width: its }) => [id, { x, y, width: its }])) }
  }, [shape])
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
          <path key={`${from} ${to}`} class={`edge ${kind}`} d={pathOf(points)} marker-end="url(#arrow)" />
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

function pathOf(points: readonly { readonly x: number; readonly y: number }[]): string {
  const [first, ...rest] = points
  if (first === undefined) return ''
  const last = rest.at(-1) ?? first
  const middle = (first.x + last.x) / 2
  if (rest.length <= 2) return `M${first.x} ${first.y}C${middle} ${first.y} ${middle} ${last.y} ${last.x} ${last.y}`
  return `M${first.x} ${first.y}${rest.map(({ x, y }) => `L${x} ${y}`).join('')}`
}
