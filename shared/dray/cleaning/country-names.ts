import codes from 'i18n-iso-countries/codes.json' with { type: 'json' }
import cs from 'i18n-iso-countries/langs/cs.json' with { type: 'json' }
import da from 'i18n-iso-countries/langs/da.json' with { type: 'json' }
import de from 'i18n-iso-countries/langs/de.json' with { type: 'json' }
import en from 'i18n-iso-countries/langs/en.json' with { type: 'json' }
import es from 'i18n-iso-countries/langs/es.json' with { type: 'json' }
import fi from 'i18n-iso-countries/langs/fi.json' with { type: 'json' }
import fr from 'i18n-iso-countries/langs/fr.json' with { type: 'json' }
import hu from 'i18n-iso-countries/langs/hu.json' with { type: 'json' }
import it from 'i18n-iso-countries/langs/it.json' with { type: 'json' }
import nb from 'i18n-iso-countries/langs/nb.json' with { type: 'json' }
import nl from 'i18n-iso-countries/langs/nl.json' with { type: 'json' }
import pl from 'i18n-iso-countries/langs/pl.json' with { type: 'json' }
import pt from 'i18n-iso-countries/langs/pt.json' with { type: 'json' }
import sv from 'i18n-iso-countries/langs/sv.json' with { type: 'json' }
import { fold } from './fold.ts'

interface NamesOfLanguage {
  readonly countries: Readonly<Record<string, string | readonly string[]>>
}

/** In order of precedence, for the few names that mean another country in another language. */
const LANGUAGES: readonly NamesOfLanguage[] = [en, de, fr, es, pt, it, nl, sv, da, nb, fi, pl, cs, hu]

const USUAL_NAMES: Readonly<Record<string, string>> = {
  us: 'US',
  'u s': 'US',
  'u s a': 'US',
  'united states': 'US',
  america: 'US',
  uk: 'GB',
  'great britain': 'GB',
  britain: 'GB',
  england: 'GB',
  scotland: 'GB',
  wales: 'GB',
  'northern ireland': 'GB',
  'the netherlands': 'NL',
  holland: 'NL',
  'czech republic': 'CZ',
  'republic of ireland': 'IE',
  eire: 'IE',
  korea: 'KR',
  'south korea': 'KR',
  russia: 'RU',
  vietnam: 'VN',
  uae: 'AE',
}

const LONGEST_NAME = 60

let codesByName: Map<string, string> | undefined
const alpha2Codes = new Set(codes.map(([alpha2]) => alpha2))

function buildCodesByName(): Map<string, string> {
  const built = new Map(Object.entries(USUAL_NAMES))
  for (const { countries } of LANGUAGES) {
    for (const [code, names] of Object.entries(countries)) {
      for (const name of typeof names === 'string' ? [names] : names) {
        const key = fold(name)
        if (key.length < 4) continue
        if (!built.has(key)) built.set(key, code)
        // As it is usually written, it is found without folding.
        if (!built.has(name)) built.set(name, built.get(key) ?? code)
      }
    }
  }
  for (const [alpha2, alpha3] of codes) {
    if (alpha2 && alpha3) built.set(alpha3, alpha2)
  }
  // Finnish for Brazil, but everywhere else its capital.
  built.delete('brasilia')
  built.delete('Brasilia')
  return built.set('usa', 'US')
}

/**
 * The ISO alpha-2 code of a country by its name in one of 14 European languages or by its alpha-3 code in capitals;
 * null where it is none.
 */
export function countryNamed(name: string): string | null {
  if (name.length > LONGEST_NAME) return null
  codesByName ??= buildCodesByName()
  return codesByName.get(name) ?? codesByName.get(fold(name)) ?? null
}

/** Whether the text is an ISO alpha-2 code in capitals. Many of them are codes of states, too (`CA`, `DE`, `IN`). */
export function isCountryCode(text: string): boolean {
  return alpha2Codes.has(text)
}
