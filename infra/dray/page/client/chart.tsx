import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

const HEIGHT = 150

/** One term over time; what it shows is said in words beside it. */
export function Chart({
  title,
  times,
  values,
  said,
  format,
}: {
  readonly title: string
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[]
  readonly values: readonly (number | null)[]
  /** The latest value, in words. */
  readonly said: string
  readonly format: (value: number) => string
}) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const style = getComputedStyle(document.documentElement)
    const colour = (name: string) => resolved(element, style.getPropertyValue(name))
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: '12px system-ui',
    }
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        series: [{}, { stroke: colour('--accent'), width: 1.5, points: { show: values.length < 60, size: 5 } }],
        axes: [axis, { ...axis, size: 64, values: (_plot, splits) => splits.map((value) => format(value)) }],
        scales: { y: { range: (_plot, _least, greatest) => [0, Math.max(greatest, 0.001) * 1.08] } },
      },
      [times as number[], values as (number | null)[]],
      element,
    )
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      plot.destroy()
    }
  }, [times, values, format])
  return (
    <figure class="chart">
      <figcaption>
        {title} <b class="number">{said}</b>
      </figcaption>
      <div ref={place} role="img" aria-label={`${title} of ${times.length} runs, the latest ${said}`} />
    </figure>
  )
}

/** A canvas knows no `light-dark()`. */
function resolved(element: HTMLElement, value: string): string {
  element.style.color = value
  const { color } = getComputedStyle(element)
  element.style.color = ''
  return color
}
