import { fold, kept } from './fold.ts'
import places from './places.json' with { type: 'json' }

/** CLDR's names of countries in these languages are part of Node: nothing of them is bundled. */
const LANGUAGES = (
  'en de fr es pt it nl sv da nb fi pl cs hu sk sl hr bs sr sr-Latn ro bg mk sq el tr ru uk be kk ky uz ka hy az he ar fa ur hi bn ne ta ' +
  'si th lo km my vi id ms fil ja ko zh zh-Hant mn et lv lt is fo ga cy mt ca gl eu lb af sw am'
).split(' ')

/** What people write for a country beside its names. */
const USUAL_NAMES: Readonly<Record<string, string>> = {
  us: 'US',
  usa: 'US',
  'u s': 'US',
  'u s a': 'US',
  'united states of america': 'US',
  america: 'US',
  uk: 'GB',
  'u k': 'GB',
  'great britain': 'GB',
  britain: 'GB',
  england: 'GB',
  großbritannien: 'GB',
  'grande-bretagne': 'GB',
  'gran bretana': 'GB',
  'gran bretagna': 'GB',
  'groot-brittannie': 'GB',
  storbritannien: 'GB',
  storbritannia: 'GB',
  scotland: 'GB',
  wales: 'GB',
  'northern ireland': 'GB',
  holland: 'NL',
  'czech republic': 'CZ',
  'republic of ireland': 'IE',
  korea: 'KR',
  'republic of korea': 'KR',
  'democratic republic of the congo': 'CD',
  'democratic republic of congo': 'CD',
  'republic of the congo': 'CG',
  'republique democratique du congo': 'CD',
  'republique du congo': 'CG',
  rdc: 'CD',
  рф: 'RU',
  'n ireland': 'GB',
  eeuu: 'US',
  'fiji islands': 'FJ',
  ksa: 'SA',
  bih: 'BA',
  'palestinian territory': 'PS',
  'slovak republic': 'SK',
  'ceska republika': 'CZ',
  'slovenska republika': 'SK',
  'kyrgyz republic': 'KG',
  'lao pdr': 'LA',
  'republique libanaise': 'LB',
  'heard island and mcdonald islands': 'HM',
  'hong kong sar': 'HK',
  'taiwan roc': 'TW',
  'pr china': 'CN',
  prc: 'CN',
  "people's republic of china": 'CN',
  roc: 'TW',
  turkey: 'TR',
  turkiye: 'TR',
  uae: 'AE',
  vatican: 'VA',
  'holy see': 'VA',
  macedonia: 'MK',
  burma: 'MM',
  'ivory coast': 'CI',
  "cote d'ivoire": 'CI',
  'cape verde': 'CV',
  swaziland: 'SZ',
  'east timor': 'TL',
  aotearoa: 'NZ',
  'new zealand aotearoa': 'NZ',
  'russian federation': 'RU',
  'viet nam': 'VN',
  kosovo: 'XK',
  shqiperia: 'AL',
}

const LONGEST_NAME = 60

/** Of countries that are no more, names and codes are left. */
const FORMER = ['AN', 'CS']
const known: ReadonlySet<string> = new Set(Object.keys(places)).difference(new Set(FORMER))
let codesByName: Map<string, string> | undefined

function buildCodesByName(): Map<string, string> {
  const built = new Map(Object.entries(USUAL_NAMES))
  for (const language of LANGUAGES) {
    for (const style of ['long', 'short'] as const) {
      const names = new Intl.DisplayNames(language, { type: 'region', style, fallback: 'none' })
      for (const code of known) {
        const name = names.of(code)
        const key = name === undefined ? '' : keyOf(name)
        // A short word of Latin letters may be anything.
        if (key.length < (/[a-z]/.test(key) ? 4 : 2)) continue
        if (!built.has(key)) built.set(key, code)
      }
    }
  }
  // Finnish for Brazil, but everywhere else its capital.
  built.delete('brasilia')
  return built
}

const keyOf = (name: string) => fold(name).replace(' & ', ' and ').replaceAll('’', "'")

/** `Kingston, Jamaica W.I.`: the West Indies. */
const WEST_INDIES = /,? b?wi$/
/** `Republic of Kenya`, `République de Guinée`; the Republic of China is not the country of that name. */
const FORMAL =
  /^(?:(?:federal |united |islamic |democratic |socialist |people's |hashemite |arab )*(?:republic|kingdom|sultanate) of (?!china|korea|congo)|republique (?:de |du |d'|des )|republica (?:de |del |do |da |dos )|republik |republika )(?:the |la |l')?(?=.{4})/

const ARTICLE = /^(?:the|die|der|la|le|les|el|los|las|o|a|os|as|il|lo|de|het) /

/** The ISO alpha-2 code of a country by its name in one of 70 languages, or a usual one; null where it is none. */
export function countryNamed(name: string): string | null {
  return name.length > LONGEST_NAME ? null : named(name)
}

const named = kept((name): string | null => {
  codesByName ??= buildCodesByName()
  const key = keyOf(name)
  const found = codesByName.get(key)
  if (found !== undefined) return found
  // `IL USA` is a state and its country.
  const bare = /^\p{Lu}{2} /u.test(name) ? key : key.replace(ARTICLE, '')
  const short = bare.replace(/^saint /, 'st ').replace(' and the ', ' and ')
  const code = codesByName.get(bare) ?? codesByName.get(short)
  if (code !== undefined || !name.includes(' ')) return code ?? null
  return codesByName.get(bare.replace(WEST_INDIES, '').replace(FORMAL, '')) ?? null
})

/** Whether the text is an ISO alpha-2 code in capitals. Many of them are codes of states, too (`CA`, `DE`, `IN`). */
export function isCountryCode(text: string): boolean {
  return known.has(text)
}
