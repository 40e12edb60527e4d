import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

const HEIGHT = 150
const DAY = 86_400
/** Steps of an axis between whole numbers. */
const WHOLE = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((one) => one * 10 ** power)).flat()

/** As moments are written elsewhere, as much of it as tells two marks of the axis apart. */
function timeText(seconds: number, step: number): string {
  const date = new Date(seconds * 1000)
  const pad = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`
  if (step >= DAY) return day
  if (time === '00:00') return day
  return step < 60 ? `${time}:${pad(date.getSeconds())}` : time
}

/** One term over time; what it shows is said in words beside it. */
export function Chart({
  title,
  times,
  values,
  said,
  format,
  isCount = false,
}: {
  readonly title: string
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[]
  readonly values: readonly (number | null)[]
  /** The latest value, in words. */
  readonly said: string
  readonly format: (value: number) => string
  readonly isCount?: boolean
}) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const style = getComputedStyle(document.documentElement)
    const colour = (name: string) => resolved(element, style.getPropertyValue(name))
    const least = isCount ? 1 : 0.1
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: '13px system-ui',
    }
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        series: [{}, { stroke: colour('--accent'), width: 1.5, points: { show: values.length < 60, size: 5 } }],
        axes: [
          {
            ...axis,
            space: 96,
            size: 32,
            values: (_plot, splits, _axis, _space, step) => splits.map((time) => timeText(time, step)),
          },
          {
            ...axis,
            size: 72,
            ...(isCount ? { incrs: WHOLE } : {}),
            values: (_plot, splits) => splits.map((value) => format(value)),
          },
        ],
        scales: { y: { range: (_plot, _least, greatest) => [0, Math.max(greatest, least) * 1.08] } },
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
