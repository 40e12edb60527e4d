import { ConfigurationError } from 'dray/internal/errors.ts'

/** Rows of a quarantine are counted in millions. */
const LIMIT = /^[1-9]\d{0,8}$/

/** The value of `--limit`. */
export function limitOption(text: string): number {
  if (!LIMIT.test(text)) throw new ConfigurationError(`--limit ${text} is not a number from 1 to 999999999.`)
  return Number(text)
}
