import { oneLine } from './format.ts'

type Entry = Readonly<Record<string, unknown>>

/** Fields that stand at the head of a line, or say nothing to a person. */
const shown = new Set(
  'level message timestamp service run workflow pipeline step partition stack sampling_rate xray_trace_id'.split(' '),
)

/** A line of a log as its JSON says, or as a message where it is none. */
export function entryOf(line: string): Entry {
  try {
    const parsed: unknown = JSON.parse(line)
    if (typeof parsed === 'object' && parsed !== null) return parsed as Entry
  } catch {}
  return { message: line }
}

/** `07:02:12.114 INFO  orders load 3: succeeded  milliseconds=118` */
export function lineText(entry: Entry): string {
  const { level, timestamp, message, pipeline, step, partition } = entry
  const head = [String(timestamp ?? '').slice(11, 23), String(level ?? '').padEnd(5)].filter(
    (part) => part.trim() !== '',
  )
  const where = [pipeline, step, typeof partition === 'number' ? partition + 1 : undefined].filter(
    (part) => part != null,
  )
  const details = Object.entries(entry).filter(([name]) => !shown.has(name))
  return oneLine(
    [
      ...head,
      `${where.length === 0 ? '' : `${where.join(' ')}: `}${text(message)}`,
      ...details.map(([name, value]) => ` ${name}=${text(value)}`),
    ].join(' '),
  )
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
