/* What of the engines' SQL gives another value each time it is asked. */

const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`/g
const CLOCK =
  /\b(?:current_(?:timestamp|date|time)|local(?:timestamp|time)|utc_(?:timestamp|date|time)|(?:now|(?:clock|statement|transaction)_timestamp|timeofday|sysdate|curdate|curtime)(?=\s*\()|(?:date|time|datetime|julianday|unixepoch|unix_timestamp)(?=\s*\(\s*\)))\b/i
const CHANCE = /\b(?:random|rand|randomblob|random_bytes|uuid|uuid_short|gen_random_uuid|uuidv[47])(?=\s*\()/i

/** Words that PostgreSQL and SQLite take for a moment: of the time when they are read. */
export const NAMED_MOMENT = /^\s*(?:now|today|tomorrow|yesterday)\s*$/i

/** The first clock or chance that the SQL names. */
export function volatileIn(text: string): string | undefined {
  const named = text.match(QUOTED)?.find((quoted) => quoted.startsWith("'") && NAMED_MOMENT.test(quoted.slice(1, -1)))
  return named ?? CLOCK.exec(text.replace(QUOTED, ' '))?.[0] ?? chanceIn(text)
}

/** The first chance that the SQL names. */
export function chanceIn(text: string): string | undefined {
  return CHANCE.exec(text.replace(QUOTED, ' '))?.[0]
}
