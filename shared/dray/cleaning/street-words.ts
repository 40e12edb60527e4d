const wordSet = (words: string): ReadonlySet<string> => new Set(words.split(' '))

/** Words that end a street's name in English. */
const AFTER_NAME = wordSet(
  'street st avenue ave av road rd boulevard blvd lane ln drive dr way court ct place pl square sq highway hwy parkway pkwy ' +
    'terrace ter trail trl crescent cres close alley row mews circle cir pike turnpike',
)
/** Words that begin a street's name. */
const BEFORE_NAME = wordSet(
  'rue avenue av boulevard bd place quai allee chemin impasse cours via viale piazza corso vicolo largo calle c/ cl avenida ave ' +
    'plaza paseo carrera camino ronda rua praca travessa alameda estrada rodovia r ul ulica al aleja os plac qe',
)
/** How street names end where they are one word. */
const ENDINGS =
  /(?:strasse|straße|str|gasse|platz|allee|weg|damm|ufer|gatan|gata|vagen|vägen|veien|vegen|gade|vej|alle|katu|tie|kuja|polku|straat|laan|gracht|kade|plein|dreef)$/
const UNIT =
  /^(?:apt|apartment|appt|apto|unit|suite|ste|flat|floor|room|bldg|building|block|bloco|lot|level|office|box|p\.? ?o\.? ?box|c\/o|postfach|bp|wohnung|etage|lgh|dept|piso|depto)\b\.?(?: ?#?\p{L}?[-\d]|$| \p{L}\b)|^#|^(?:hinterhaus|vorderhaus|gartenhaus|rear)$/iu

const DIRECTIONS = wordSet('n s e w ne nw se sw north south east west')

/** `Apt 4B`, `Suite 200`, `PO Box 12`: a part of the line, never a city. */
export function isUnit(text: string): boolean {
  return UNIT.test(text)
}

/** Whether the words name a street: `Main St`, `rue Bélanger`, `Storgatan`. */
export function namesStreet(text: string): boolean {
  const words = text
    .slice(0, 200)
    .toLowerCase()
    .normalize('NFD')
    .replace(/[\u0300-\u036f.]/g, '')
    .split(' ')
  if (BEFORE_NAME.has(words[0] ?? '') && words.length > 1) return true
  return words.some((word, i) => (i > 0 && AFTER_NAME.has(word)) || (word.length > 5 && ENDINGS.test(word)))
}

const isSaint = (word: string | undefined): boolean => word === 'st' || word === 'st.'

function afterStreetWord(words: readonly string[]): number {
  const lower = words.map((word) => word.toLowerCase())
  const isStreetWord = (word: string, i: number) => i > 0 && AFTER_NAME.has(word.replace('.', ''))
  const last = lower.findLastIndex(isStreetWord)
  if (!isSaint(lower[last]) || last === words.length - 1) return last + 1
  // `12 Main St St. Louis`: the last one is a saint, if a street or a unit ends before it.
  const before = lower.slice(0, last).findLastIndex(isStreetWord)
  if (before < 0) return isUnit(lower.slice(0, 2).join(' ')) ? 0 : last + 1
  return before + 1
}

/**
 * How many of the first words of a part are the street and the unit, where a city follows without a comma; 0 where none
 * are.
 */
function wordsOfStreet(words: readonly string[]): number {
  const box = /^p\.? ?o\.? ?box \S+/i.exec(words.slice(0, 4).join(' '))
  if (box) return box[0].split(' ').length
  let end = afterStreetWord(words)
  if (end > 0 && DIRECTIONS.has((words[end] ?? '').toLowerCase())) end++
  if (isUnit(words.slice(end, end + 2).join(' '))) end += /\d|#/.test(words[end] ?? '') ? 1 : 2
  return end
}

/** The city that follows a street or unit without a comma: `Springfield` of `123 Main St Apt 4B Springfield`. */
export function cityAfterStreet(text: string): { street: string; city: string } | null {
  if (text.length > 200) return null
  const words = text.split(' ')
  const end = wordsOfStreet(words)
  const city = words.slice(end).join(' ')
  return end === 0 || city === '' || /\d/.test(city) ? null : { street: words.slice(0, end).join(' '), city }
}
