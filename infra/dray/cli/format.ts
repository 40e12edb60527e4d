import { styleText } from 'node:util'
import type { ValidationError } from 'dray/internal/active-record/validations.ts'
import { visible } from '#dray-infra/texts/invisible.ts'

/** `1,234`; by hand, since the names and numbers of all languages take longer to read than most commands. */
export const count = (value: number): string =>
  Math.round(value)
    .toFixed(0)
    .replace(/\B(?=(?:\d{3})+$)/g, ',')

/** `0.42 s`, `12.3 s`, `2 min 05 s` */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`
}

/** `2026-11-23 07:02:12` in UTC */
export function moment(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ')
}

/** `2026-11-23T07:02:12.000Z`, for documents. */
export function isoTime<Milliseconds extends number | null>(milliseconds: Milliseconds) {
  return (milliseconds === null ? null : new Date(milliseconds).toISOString()) as string | Extract<Milliseconds, null>
}

/** What `last_run` and windows say, for documents: a time as ISO 8601, a number as it is. */
export function isoMark<Mark extends string | null>(mark: Mark) {
  return (mark?.replace(/^(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)$/, '$1T$2Z') ?? null) as
    | string
    | Extract<Mark, null>
}

/** `email invalid: is not an address`; a code without a message stands alone. */
export function faultText({ field, code, message }: ValidationError): string {
  const said = message === code ? code : `${code}: ${message}`
  return oneLine(field === '' ? said : `${field} ${said}`)
}

/** `row` or `rows`, after the number: `1 row`, `20,000 rows` */
export function plural(value: number, word: string): string {
  return `${count(value)} ${value === 1 ? word : `${word}s`}`
}

const colours = {
  success: 'green',
  failed: 'red',
  refused: 'yellow',
  skipped: 'yellow',
  running: 'cyan',
  waiting: 'gray',
  interrupted: 'yellow',
} as const

/** Colours a status where the stream is a terminal that wants colours (NO_COLOR, FORCE_COLOR are respected). */
export function status(text: string, stream: NodeJS.WriteStream): string {
  const colour = colours[text as keyof typeof colours]
  return colour ? styleText(colour, text, { stream }) : text
}

export const LINE_ENDS = /\s*[\r\n\u2028\u2029]+\s*/g

/** One line, without control characters: whatever a row or a server puts into a message, the terminal shows text. */
export function oneLine(text: string): string {
  return visible(text.replace(LINE_ENDS, ' '))
}
