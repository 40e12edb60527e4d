import { fold } from './fold.ts'

const LANGUAGES = 'en de fr es pt it nl sv da nb fi pl cs sk sl hr ro tr ru uk be bg el id'.split(' ')

/** The months or weekdays that a name stands for, by language. */
type Names = ReadonlyMap<string, ReadonlyMap<string, number>>

/** As people write them beside what CLDR has: `language name number`. */
const USUAL_MONTHS = ['en sept 9', 'fr sept 9', 'de mrz 3']
const USUAL_WEEKDAYS = ['en tues 2', 'en weds 3', 'en thur 4', 'en thurs 4'].concat([
  'pt segunda 1',
  'pt terça 2',
  'pt quarta 3',
  'pt quinta 4',
  'pt sexta 5',
])

let monthNames: Names | undefined
let weekdayNames: Names | undefined

const keyOf = (name: string) => fold(name).replaceAll(/['’ʼ]/g, "'")

/** Names and abbreviations, alone (`Marzec`) and as they stand in a date (`11 marca`), from the ICU data of Node. */
function buildNames(type: 'month' | 'weekday', numbers: readonly number[], usual: readonly string[]) {
  const built = new Map<string, Map<string, number>>()
  const add = (name: string, language: string, number: number) => {
    const key = keyOf(name)
    built.set(key, (built.get(key) ?? new Map<string, number>()).set(language, number))
  }
  for (const language of LANGUAGES) {
    for (const style of ['long', 'short'] as const) {
      for (const beside of [{}, { day: 'numeric', month: style }] as const) {
        const format = new Intl.DateTimeFormat(language, { ...beside, [type]: style, timeZone: 'UTC' })
        for (const number of numbers) {
          // 1 August 2021 was a Sunday.
          const day = type === 'month' ? Date.UTC(2021, number - 1, 1) : Date.UTC(2021, 7, 1 + number)
          add(format.formatToParts(day).find((part) => part.type === type)?.value ?? '', language, number)
        }
      }
    }
  }
  for (const one of usual) {
    const [language = '', name = '', number] = one.split(' ')
    add(name, language, Number(number))
  }
  return built
}

function buildMonths(): Names {
  const built = buildNames('month', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], USUAL_MONTHS)
  // `listopada` is October in Croatian and November in Polish.
  for (const [name, months] of built) if (name.length < 3 || new Set(months.values()).size > 1) built.delete(name)
  return built
}

/** The number of a month by its name in one of two dozen languages, in any case; null where it is none, or two. */
export function monthNamed(name: string): number | null {
  monthNames ??= buildMonths()
  return monthNames.get(keyOf(name))?.values().next().value ?? null
}

/**
 * The weekdays (Sunday is 0) that a word stands for in the languages that have the month's name: `do` is Thursday
 * before `10 maart`, and "until" before `10 marca`.
 */
export function weekdaysNamed(word: string, month: string): ReadonlySet<number> {
  monthNames ??= buildMonths()
  weekdayNames ??= buildNames('weekday', [0, 1, 2, 3, 4, 5, 6], USUAL_WEEKDAYS)
  const languages = monthNames.get(keyOf(month))
  const days = [...(weekdayNames.get(keyOf(word)) ?? [])]
  return new Set(days.filter(([language]) => languages?.has(language)).map(([, day]) => day))
}
