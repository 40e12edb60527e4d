import { oneLine } from './format.ts'

/** A line of a log. */
export type Entry = Readonly<Record<string, unknown>>

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

/** An event of a state machine, whose time is in ms: `07:02:12.114 STATE orders: Plan  TaskStateEntered`. */
function stateText({ type, event_timestamp: at, execution_arn: execution, details }: Entry): string {
  const { name, error, cause } = (details ?? {}) as Entry
  const machine = String(execution).split(':')[6]
  const said = [`${machine}: ${name ?? type}`, name && type, error, cause].filter((part) => part !== undefined)
  return oneLine(`${new Date(Number(at)).toISOString().slice(11, 23)} STATE ${said.join('  ')}`)
}

/** `07:02:12.114 INFO  orders load 3: succeeded  milliseconds=118` */
export function lineText(entry: Entry): string {
  if ('execution_arn' in entry) return stateText(entry)
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
