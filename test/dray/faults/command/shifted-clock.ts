/*
 * Loaded before a command: its clock is `CLOCK_SHIFT_MS` off from the moment `CLOCK_SHIFTS_AT` on, in ms since 1970 by
 * the right clock, in its threads as well.
 */

const shift = Number(process.env.CLOCK_SHIFT_MS ?? 0)
const from = Number(process.env.CLOCK_SHIFTS_AT ?? 0)
const RightDate = Date
const now = () => {
  const right = RightDate.now()
  return right < from ? right : right + shift
}

globalThis.Date = new Proxy(RightDate, {
  apply: () => new RightDate(now()).toString(),
  construct: (_, values) => Reflect.construct(RightDate, values.length === 0 ? [now()] : values),
  get: (date, name) => (name === 'now' ? now : Reflect.get(date, name)),
})
