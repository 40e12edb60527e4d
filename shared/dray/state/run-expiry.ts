import { ConfigurationError } from '#dray/errors.ts'

const DAY_SECONDS = 24 * 60 * 60
const KEEP_RUNS_DAYS = 90

/**
 * The end of an item of a run that is written now, in seconds since 1970. Throws `Configuration` when the variable
 * names no number of days.
 */
export function runExpiry(days?: number): () => number {
  const variable = process.env.STATE_KEEP_RUNS_DAYS
  const keep = days ?? Number(variable || KEEP_RUNS_DAYS)
  if (!Number.isInteger(keep) || keep < 1) {
    throw new ConfigurationError(
      `STATE_KEEP_RUNS_DAYS is ${variable}, which is no number of days, so the metrics of runs would be lost or never expire. Set it to 90, or unset it.`,
    )
  }
  return () => Math.ceil(Date.now() / 1000) + keep * DAY_SECONDS
}
