import { ConfigurationError } from 'dray/internal/errors.ts'

/** The value of `--limit`. */
export function limitOption(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new ConfigurationError(`--limit ${text} is not a number from 1 to 99999.`)
  return Number(text)
}
