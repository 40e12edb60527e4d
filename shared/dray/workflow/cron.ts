import { ConfigurationError } from '#dray/errors.ts'

/** When a workflow starts by the clock. */
export interface Schedule {
  /** Five fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday). */
  readonly expression: string
  /** An IANA time zone; the times of the expression are local to it, through daylight saving. */
  readonly timezone: string
}

interface CronField {
  readonly name: string
  readonly least: number
  readonly greatest: number
  readonly words: readonly string[]
}

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']
const fields: readonly CronField[] = [
  { name: 'minute', least: 0, greatest: 59, words: [] },
  { name: 'hour', least: 0, greatest: 23, words: [] },
  { name: 'day of month', least: 1, greatest: 31, words: [] },
  { name: 'month', least: 1, greatest: 12, words: months },
  { name: 'day of week', least: 0, greatest: 7, words: weekdays },
]

/** A schedule from a cron expression of five fields. Throws `Configuration` when it or the time zone is not valid. */
export function cron(expression: string, options: { readonly timezone: string }): Schedule {
  const parts = expression.trim().split(/\s+/)
  if (parts.length !== fields.length) {
    refuse(expression, `has ${parts.length} fields`, 'give five: minute, hour, day of month, month, day of week')
  }
  fields.forEach((field, index) => {
    for (const item of (parts[index] ?? '').split(',')) checkItem(expression, field, item)
  })
  if (parts[2] !== '*' && parts[4] !== '*') {
    refuse(expression, 'names days of the month and days of the week', 'leave one of them `*` and use two schedules')
  }
  checkTimezone(options.timezone)
  return { expression: parts.join(' '), timezone: options.timezone }
}

/** The schedule in the six fields of EventBridge Scheduler, which counts the days of the week from 1 (Sunday). */
export function toSchedulerExpression(schedule: Schedule): string {
  const [minute = '*', hour = '*', dayOfMonth = '*', month = '*', dayOfWeek = '*'] = schedule.expression.split(' ')
  const days = dayOfWeek === '*' ? '?' : schedulerDays(dayOfWeek)
  const dates = dayOfMonth === '*' && days !== '?' ? '?' : dayOfMonth
  return `cron(${minute} ${hour} ${dates} ${month} ${days} *)`
}

/** As a list of single days: 5-7 (Friday to Sunday) has no range when Sunday is 1. */
function schedulerDays(field: string): string {
  const days = new Set<number>()
  for (const item of field.split(',')) {
    const [range = '', step = '1'] = item.split('/')
    const [from = '', to] = range === '*' ? ['0', '6'] : range.split('-')
    const first = numberOf(from, weekdays, 0)
    const last = to === undefined ? (item.includes('/') ? 6 : first) : numberOf(to, weekdays, 0)
    for (let day = first; day <= last; day += Number(step)) days.add((day % 7) + 1)
  }
  return [...days].sort((a, b) => a - b).join(',')
}

function checkItem(expression: string, field: CronField, item: string): void {
  const match = /^(\*|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(item)
  if (match === null) refuse(expression, `has '${item}' as ${field.name}`, 'use *, 5, 1-5, */15 or a list of these')
  const [, range, from, to, step] = match
  if (step !== undefined && Number(step) < 1)
    refuse(expression, `has the step ${step} as ${field.name}`, 'use 1 or more')
  if (range === '*' || from === undefined) return
  const first = numberOf(from, field.words, field.least === 1 ? 1 : 0)
  const last = to === undefined ? first : numberOf(to, field.words, field.least === 1 ? 1 : 0)
  if (!(first >= field.least && last <= field.greatest && first <= last)) {
    refuse(expression, `has '${item}' as ${field.name}`, `use ${field.least} to ${field.greatest}`)
  }
}

/** NaN for what is neither a number nor one of the words. */
function numberOf(text: string, words: readonly string[], first: number): number {
  if (/^\d+$/.test(text)) return Number(text)
  const index = words.indexOf(text.toUpperCase())
  return index === -1 ? Number.NaN : index + first
}

function checkTimezone(timezone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch {
    throw new ConfigurationError(
      `The time zone '${timezone}' of a schedule is not known, so its hours mean nothing; use an IANA name such as Europe/Helsinki.`,
    )
  }
}

function refuse(expression: string, problem: string, remedy: string): never {
  throw new ConfigurationError(
    `The cron expression '${expression}' ${problem}, so nothing would be scheduled; ${remedy}.`,
  )
}
