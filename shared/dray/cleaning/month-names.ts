import { fold } from './fold.ts'

const LANGUAGES = ['en', 'de', 'fr', 'es', 'pt', 'it', 'nl', 'sv', 'da', 'nb', 'fi', 'pl']

let numbers: Map<string, number> | undefined

/** Names and abbreviations, alone (`Marzec`) and as they stand in a date (`11 marca`), from the ICU data of Node. */
function buildNumbers(): Map<string, number> {
  const built = new Map<string, number>()
  for (const language of LANGUAGES) {
    for (const style of ['long', 'short'] as const) {
      for (const options of [{ month: style }, { month: style, day: 'numeric' }] as const) {
        const format = new Intl.DateTimeFormat(language, { ...options, timeZone: 'UTC' })
        for (let month = 1; month <= 12; month++) {
          const part = format.formatToParts(Date.UTC(2021, month - 1, 1)).find(({ type }) => type === 'month')
          const name = fold(part?.value ?? '')
          if (name.length >= 3 && !built.has(name)) built.set(name, month)
        }
      }
    }
  }
  return built.set('sept', 9)
}

/** The number of a month by its name in one of a dozen languages, in any case; null where it is none. */
export function monthNamed(name: string): number | null {
  numbers ??= buildNumbers()
  return numbers.get(fold(name)) ?? null
}
