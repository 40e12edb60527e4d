const MOMENT = /^(\d{4}-\d\d-\d\d)(?: \d\d:\d\d:\d\d(?:\.\d+)?)?$/

/**
 * A zero date, month 0, 30 February: a server in another mode takes them, and MySQL refuses each comparison with them,
 * or finds nothing.
 * https://dev.mysql.com/doc/refman/8.4/en/sql-mode.html#sqlmode_no_zero_date
 */
export function isImpossibleMoment(text: string): boolean {
  const [, day] = MOMENT.exec(text) ?? []
  if (day === undefined) return false
  const read = new Date(`${day}T00:00:00Z`)
  return Number.isNaN(read.getTime()) || !read.toISOString().startsWith(day)
}
