import { fold, kept } from './fold.ts'
import places from './places.json' with { type: 'json' }

/** What is known of a country: see `test/dray/cleaning/make-places.ts`, which writes the file. */
interface Place {
  readonly zip?: string
  readonly order?: string
  readonly regions?: string
  readonly cities?: string
  readonly large?: string
  readonly alone?: string
}

interface Regions {
  readonly codes: ReadonlySet<string>
  readonly names: ReadonlySet<string>
}

const byCountry: Readonly<Record<string, Place>> = places

const LONGEST_NAME = 60

/** Worked out at the first question about a country, and kept. */
function remembered<Value>(make: (country: string) => Value): (country: string) => Value {
  const known = new Map<string, Value>()
  return (country) => {
    let value = known.get(country)
    if (value === undefined) {
      value = make(country)
      known.set(country, value)
    }
    return value
  }
}

const placeOf = (country: string): Place => (Object.hasOwn(byCountry, country) ? (byCountry[country] ?? {}) : {})

/** The order of the parts in an address of the country: `A` line, `C` city, `S` region, `Z` postal code. */
export function orderOf(country: string | null): string {
  return country === null ? '' : (placeOf(country).order ?? '')
}

/** The pattern of the country's postal codes; null where it has none or they are not known. */
export const postalPatternOf = remembered((country) => {
  const { zip } = placeOf(country)
  return zip === undefined ? null : new RegExp(`^(?:${zip})$`)
})

/** Words of a kind of region, folded, which are left out as often as not: `Stockholms län`, `jud. Cluj`. */
const KINDS_BEFORE =
  'co|county|capital region of|region of|state of|region|jud|judetul|woj|wojewodztwo|obl|oblast|municipality of|parish of|' +
  '(?:provincia|prov|pcia|departamento|depto|dpto|estado|edo|est|departement|province|canton)(?: (?:de la|del|de|di|du|do|da|of))?|' +
  'обл|област|область|респ|республика|республіка|dist|distt|district|pow|powiat|okr|okres|ops|opstina'
const KINDS_BEHIND =
  "county|province|prov|state|region|prefecture|pref|oblast|oblast'|oblasti|obl|krai|kray|district|dist|distt|governorate|department|" +
  'municipality|parish|canton|atoll|wojewodztwo|voivodeship|megye|kraj|zupanija|kommune|fylke|lan|ken|sheng|' +
  'обл|област|область|вобласць|кр|краи|респ|республика|ао|автономныи округ|раион|р-н'
const KIND_OF_REGION = new RegExp(`^(?:${KINDS_BEFORE}) | (?:${KINDS_BEHIND})$`)
/** A kind of region within a region: `Dist. Thane`, `Стрийський р-н`. */
const KIND_OF_DISTRICT =
  /^(?:dist|distt|district|pow|powiat|okr|okres|ops|opstina) |(?:district|dist|distt|municipality|parish|раион|р-н)$/

/** The name of a region, folded, without its kind. */
const bareRegion = kept((text) => fold(text).replace(KIND_OF_REGION, ''))

const regionsOf = remembered((country): Regions => {
  const codes = new Set<string>()
  const names = new Set(OTHER_NAMES[country]?.split(';'))
  for (const region of placeOf(country).regions?.split(';') ?? []) {
    const [code, ...ofRegion] = region.split('|')
    if (code) codes.add(code)
    for (const name of ofRegion) {
      for (const one of [name, name.replaceAll('-', ' ')]) {
        names.add(one)
        names.add(one.replace(KIND_OF_REGION, ''))
      }
    }
  }
  return { codes, names }
})

/** Whether the text says by itself that it is a region of some kind: `Greene County`, `Podlehnik Municipality`. */
export function saysRegion(text: string): boolean {
  return text.length <= LONGEST_NAME && bareRegion(text) !== fold(text)
}

/** Whether the text says by itself that it is a part of a region: `Dist. Thane`, `Podlehnik Municipality`. */
export function saysDistrict(text: string): boolean {
  return text.length <= LONGEST_NAME && KIND_OF_DISTRICT.test(fold(text))
}

const citiesOf = remembered((country): ReadonlySet<string> => {
  const cities = new Set(OTHER_CITIES[country])
  let before = ''
  for (const coded of placeOf(country).cities?.split(';') ?? []) {
    before = before.slice(0, Number.parseInt(coded.charAt(0), 36)) + coded.slice(1)
    cities.add(before)
  }
  return cities
})

/** Codes that are written though ISO 3166-2 does not have them. */
const OTHER_CODES: Readonly<Record<string, ReadonlySet<string>>> = {
  CA: new Set(['PQ', 'NF']),
  MX: new Set(['DF', 'CDMX']),
}

/** As cities are written, folded, though GeoNames does not have the name. */
const OTHER_CITIES: Readonly<Record<string, readonly string[]>> = {
  AR: ['bs as', 'bsas'],
  DE: ['frankfurt (main)', 'rotenburg (wumme)', 'weiden (oberpfalz)', 'neustadt (holstein)', 'landau (pfalz)'],
}

/** Counties and short forms that are written though ISO 3166-2 does not have them. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  AR: 'bs as;bsas',
  GR:
    'αττικη;ανατολικη μακεδονια και θρακη;κεντρικη μακεδονια;δυτικη μακεδονια;ηπειρος;θεσσαλια;ιονια νησια;' +
    'δυτικη ελλαδα;στερεα ελλαδα;πελοποννησος;βορειο αιγαιο;νοτιο αιγαιο;κρητη;αττικης;κρητης;θεσσαλιας',
  CA: 'ont;que;alta;sask;man;nfld',
  US: 'ala;ariz;ark;calif;colo;conn;del;fla;ill;ind;kan;mass;mich;minn;miss;neb;okla;ore;penn;tenn;tex;wash;wis;wyo',
  GB:
    'merseyside;greater manchester;west midlands;tyne and wear;south yorkshire;west yorkshire;middlesex;west sussex;' +
    'east sussex;beds;berks;bucks;cambs;glos;hants;herts;lancs;leics;lincs;northants;notts;oxon;staffs;wilts;worcs;yorks;n yorks;s yorks;w yorks;w mids',
}

/** Whether the text is the code of a region of the country, in capitals; dots are ignored (`N.S.W.`). */
export function isRegionCode(text: string, country: string): boolean {
  if (text.length > 6) return false
  const code = text.includes('.') ? text.replaceAll('.', '') : text
  return regionsOf(country).codes.has(code) || (OTHER_CODES[country]?.has(code) ?? false)
}

/** Whether the text is the name of a region of the country, in English or its own languages, in any case. */
export function isRegionName(text: string, country: string): boolean {
  if (text.length > LONGEST_NAME) return false
  const { names } = regionsOf(country)
  return names.has(fold(text)) || names.has(bareRegion(text))
}

/** Words that stand beside the name of a city: `Cebu City`, `Osaka-shi`, `г. Москва`, `København K`, `Praha 1`. */
const BESIDE_CITY =
  /^(?:г|м|[Cc]ity of|[Cc]iudad de) |(?:[ -](?:[Cc]ity|[Ss]hi|[Ss]i|[Cc](?:edex|EDEX)(?: \d+)?|\p{Lu}{1,2}|D\.C\.|\d{1,2}))$/u

/** Whether the country has a city of this name with at least 15,000 people. */
export function isKnownCity(text: string, country: string): boolean {
  if (text.length > LONGEST_NAME) return false
  const cities = citiesOf(country)
  return cities.has(fold(text)) || cities.has(bareCity(text))
}

const bareCity = kept((text) => fold(text.replace(/^(?:г|м)\. ?/, '').replace(BESIDE_CITY, '')))

function countriesByName(namesOf: (country: string) => ReadonlySet<string>): Map<string, string[]> {
  const built = new Map<string, string[]>()
  for (const country of Object.keys(byCountry)) {
    for (const name of namesOf(country)) {
      const found = built.get(name)
      if (found === undefined) built.set(name, [country])
      else found.push(country)
    }
  }
  return built
}

/** The one country that has a region of this name in other letters than Latin ones: `Московская обл.`, `Αττική`. */
export function countryOfForeignRegion(text: string): string | null {
  if (/\p{Script=Latin}/u.test(text)) return null
  const [country, another] = countriesOfRegion(bareRegion(text))
  return country !== undefined && another === undefined ? country : null
}

let countriesByRegion: Map<string, string[]> | undefined

/** The countries that have a region of this name. */
export function countriesOfRegion(text: string): readonly string[] {
  if (text.length > LONGEST_NAME) return []
  countriesByRegion ??= countriesByName((country) => regionsOf(country).names)
  return countriesByRegion.get(fold(text)) ?? []
}

const cityRegionsOf = remembered((country) => new Set(placeOf(country).alone?.split(';')))

/** Whether the region of this name is one large city, so that what stands before it is a district: `Bangkok`. */
export function isCityRegion(text: string, country: string): boolean {
  return cityRegionsOf(country).has(fold(text.slice(0, LONGEST_NAME)))
}

let countriesByCity: Map<string, string[]> | undefined

/** The countries that have a city of this name, of at least 15,000 people. */
export function countriesOfCity(text: string): readonly string[] {
  if (text.length > LONGEST_NAME) return []
  countriesByCity ??= countriesByName(citiesOf)
  return countriesByCity.get(fold(text)) ?? countriesByCity.get(bareCity(text)) ?? []
}

let largeCities: Map<string, Set<string>> | undefined

/** The countries that have a city of this name with more than a million people. */
export function countriesOfLargeCity(text: string): ReadonlySet<string> {
  if (largeCities === undefined) {
    largeCities = new Map()
    for (const [country, { large }] of Object.entries(byCountry)) {
      for (const name of large?.split(';') ?? []) {
        largeCities.set(name, (largeCities.get(name) ?? new Set()).add(country))
      }
    }
  }
  return largeCities.get(fold(text.slice(0, LONGEST_NAME))) ?? new Set()
}
