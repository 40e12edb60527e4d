import { ConfigurationError } from 'dray/internal/errors.ts'

/** Rows of a quarantine are counted in millions. */
const LIMIT = /^[1-9]\d{0,8}$/

/** The value of `--limit`. */
export const limitOption = numberOption('--limit')

/** Takes the value of an option that is a number, and no less than one. */
export function numberOption(option: string): (text: string) => number {
  return (text) => {
    if (LIMIT.test(text)) return Number(text)
    throw new ConfigurationError(
      `${option} ${text === '' ? "''" : text} is not a number from 1 to 999999999, so nothing was done; write ${option} 20.`,
    )
  }
}
