import { fold } from './fold.ts'

const LANGUAGES = 'en de fr es pt it nl sv da nb fi pl cs sk sl hr ro tr ru uk be bg el id'.split(' ')

let numbers: Map<string, number> | undefined

/** Names and abbreviations, alone (`Marzec`) and as they stand in a date (`11 marca`), from the ICU data of Node. */
function buildNumbers(): Map<string, number> {
  const built = new Map<string, number>()
  // `listopada` is October in Croatian and November in Polish.
  const ofTwo = new Set<string>()
  for (const language of LANGUAGES) {
    for (const style of ['long', 'short'] as const) {
      for (const options of [{ month: style }, { month: style, day: 'numeric' }] as const) {
        const format = new Intl.DateTimeFormat(language, { ...options, timeZone: 'UTC' })
        for (let month = 1; month <= 12; month++) {
          const part = format.formatToParts(Date.UTC(2021, month - 1, 1)).find(({ type }) => type === 'month')
          const name = fold(part?.value ?? '')
          if (name.length < 3) continue
          if ((built.get(name) ?? month) !== month) ofTwo.add(name)
          built.set(name, month)
        }
      }
    }
  }
  for (const name of ofTwo) built.delete(name)
  return built.set('sept', 9)
}

/** The number of a month by its name in one of two dozen languages, in any case; null where it is none, or two. */
export function monthNamed(name: string): number | null {
  numbers ??= buildNumbers()
  return numbers.get(fold(name)) ?? null
}
