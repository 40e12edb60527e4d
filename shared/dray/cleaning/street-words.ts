import { kept } from './fold.ts'

const wordSet = (words: string): ReadonlySet<string> => new Set(words.split(' '))

/** Words that end a street's name in English. */
const AFTER_NAME = wordSet(
  'street st avenue ave av road rd boulevard blvd lane ln drive dr way court ct place pl square sq highway hwy parkway pkwy ' +
    'terrace ter trail trl crescent cres close alley row mews circle cir pike turnpike',
)
/** Words that begin a street's name. */
const BEFORE_NAME = wordSet(
  'rue avenue av boulevard bd place quai allee chemin impasse cours via viale piazza corso vicolo largo calle c/ cl avenida ave ' +
    'plaza paseo carrera camino ronda rua praca travessa alameda estrada rodovia r ul ulica aleja os plac qe',
)
/** How street names end where they are one word. */
const ENDINGS =
  /(?:strasse|straße|str|gasse|platz|allee|weg|damm|ufer|gatan|gata|vagen|vägen|veien|vegen|gade|vej|alle|katu|tie|kuja|polku|straat|laan|gracht|kade|plein|dreef)$/
const OTHER_WORDS = wordSet(
  'villa casa porte porta house haus hus maison no nr km lote lot local zone zona mz bloc blk tower torre',
)
const UNIT =
  /^(?:apt|apartment|appt|apto|unit|suite|ste|flat|floor|room|bldg|building|block|bloco|lot|level|office|box|p\.? ?o\.? ?box|c\/o|postfach|bp|wohnung|etage|lgh|dept|piso|depto)\b\.?(?: ?#?\p{L}?[-\d]|$| \p{L}\b)|^#|^(?:hinterhaus|vorderhaus|gartenhaus|rear)$/iu

/** `Apt 4B`, `Suite 200`, `PO Box 12`: a part of the line, never a city. */
export function isUnit(text: string): boolean {
  return UNIT.test(text)
}

/** Whether the words name a street: `Main St`, `rue Bélanger`, `Storgatan`. */
export const namesStreet = kept((text: string): boolean => {
  const words = text
    .slice(0, 200)
    .toLowerCase()
    .normalize('NFD')
    .replace(/[\u0300-\u036f.]/g, '')
    .split(' ')
  // `al. Jerozolimskie`, but `Al Olaya`.
  if (words.length > 1 && (BEFORE_NAME.has(words[0] ?? '') || /^al\./i.test(text))) return true
  return words.some((word, i) => (i > 0 && AFTER_NAME.has(word)) || (word.length > 5 && ENDINGS.test(word)))
})

/** `Rue`, `Villa` and `No` alone: words of an address, though a place somewhere may have the name. */
export function isWordOfAddress(text: string): boolean {
  const word = text.toLowerCase()
  return BEFORE_NAME.has(word) || AFTER_NAME.has(word) || UNIT.test(text) || OTHER_WORDS.has(word)
}

/** Whether a part is a part of the line: it has a number, or names a street or a flat. */
export function isLine(text: string): boolean {
  return /\d/.test(text) || namesStreet(text) || isUnit(text)
}

/** Words that make another name of the name behind them: `North Bend`, `Fort Washington`, `New Delhi`. */
const BEFORE_NAMES = wordSet(
  'new old fort port mount mt lake north south east west upper lower great little san santa saint st ciudad villa nueva la el los las',
)

/** Whether a word, folded, makes another place of the one that is named behind it. */
export function makesOtherName(word: string): boolean {
  return BEFORE_NAMES.has(word)
}
