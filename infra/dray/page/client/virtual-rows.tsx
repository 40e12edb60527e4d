import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

const BEYOND = 6

/** A list of rows of one height, of which those are drawn that are seen. */
export function VirtualRows({
  label,
  total,
  rowHeight,
  most,
  children,
}: {
  readonly label: string
  readonly total: number
  readonly rowHeight: number
  /** Rows that are seen at once. */
  readonly most: number
  readonly children: (place: number) => ComponentChildren
}) {
  const [top, setTop] = useState(0)
  const seen = Math.min(total, most)
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight), total - seen) - BEYOND)
  const last = Math.min(total, first + seen + 2 * BEYOND)
  const places = Array.from({ length: last - first }, (_, place) => first + place)
  return (
    <section
      class="virtual"
      aria-label={label}
      tabIndex={0}
      style={{ height: `${seen * rowHeight}px` }}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <ol style={{ height: `${total * rowHeight}px` }}>
        {places.map((place) => (
          <li
            key={place}
            aria-setsize={total}
            aria-posinset={place + 1}
            style={{ height: `${rowHeight}px`, transform: `translateY(${place * rowHeight}px)` }}
          >
            {children(place)}
          </li>
        ))}
      </ol>
    </section>
  )
}
