import { visible } from '#dray-infra/texts/invisible.ts'

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export const count = (value: number): string => grouped.format(value)

export function plural(value: number, word: string): string {
  return `${count(value)} ${value === 1 ? word : `${word}s`}`
}

/** `0.42 s`, `12.3 s`, `2 min 05 s`, `3 h 12 min` */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 120) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`
}

/** In the time of the browser's place, which the title says in UTC. */
export function Moment({ at }: { readonly at: number }) {
  const date = new Date(at)
  const pad = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const iso = date.toISOString()
  return (
    <time dateTime={iso} title={`${iso.slice(0, 19).replace('T', ' ')} UTC`} class="number">
      {day} {pad(date.getHours())}:{pad(date.getMinutes())}:{pad(date.getSeconds())}
    </time>
  )
}

/** Text of rows, servers and logs: what would not be seen, or would turn round what follows, is written out. */
export function Text({ of }: { readonly of: string }) {
  return <bdi>{visible(of)}</bdi>
}

/** Text with line ends and tabs as they are, of a log. */
export function Lines({ of }: { readonly of: string }) {
  return <bdi>{of.split('\n').map(visible).join('\n')}</bdi>
}

export function Value({ of }: { readonly of: string | null | undefined }) {
  if (of === null || of === undefined) return <span class="null">NULL</span>
  if (of === '') return <span class="null">empty</span>
  return <Text of={of} />
}

const MARKS: Readonly<Record<string, string>> = {
  success: '✓',
  passed: '✓',
  failed: '✕',
  running: '●',
  refused: '◌',
  skipped: '–',
  waiting: '○',
  warned: '!',
}

/** A status by its mark, its word, or another one, and its colour. */
export function Status({ of, said = of }: { readonly of: string; readonly said?: string }) {
  return (
    <span class={`status ${of.replace(/\W/g, '-')}`}>
      <span aria-hidden="true">{MARKS[of] ?? '·'}</span> {said}
    </span>
  )
}
