/*
 * Servers quote values of rows in what they say. The quarantine keeps that whole; whatever else is printed, sent or
 * stored holds none of it.
 */

/** A quote that opens: no apostrophe of a word. Servers speak other languages, too. */
const OPENING = /(?<!\w)["'«»„“‚‘「『]/

/**
 * A message up to the first thing that it quotes, and from `tail` on: a value may hold quotes, and servers cut long
 * messages off, so that what follows is kept where its form is known alone.
 */
export function cutQuoted(message: string, tail: RegExp): string {
  const from = message.search(OPENING)
  if (from < 0) return message
  return `${message.slice(0, from)}"…"${tail.exec(message.slice(from))?.[0] ?? ''}`
}

const NAME = /^(?:[A-Za-z_]\w*|[^\w"']+)$/

/** A word of a statement as a syntax error quotes it; a literal of it is a value. */
export function cutToken(token: string): string {
  return NAME.test(token) ? token : '…'
}

/** Instead of what a trigger says in its own words, which may be made of the row's values. */
export function raisedBy(what: string): string {
  return `${what} refused the row with words that may quote it, which the quarantine alone repeats; look at what it refuses`
}

const FRAME = /^ {4}at /

/** The error that a server sent, for whoever prints causes: these of its properties, this message, the same frames. */
export function bareError(error: Error, message: string, properties: readonly string[]): Error {
  const bare = new Error(message)
  const given = Object.entries(error).filter(([name]) => properties.includes(name))
  const frames = (error.stack ?? '').replace(error.message, () => '').split('\n')
  bare.stack = [`${error.name}: ${message}`, ...frames.filter((line) => FRAME.test(line))].join('\n')
  return Object.assign(bare, Object.fromEntries(given))
}

const servers = new WeakMap<Error, Error>()

/** Notes what the server has sent, beside the error that is thrown instead. */
export function sentBy<Told extends Error>(server: Error, told: Told): Told {
  servers.set(told, server)
  return told
}

/** What the server has sent, values included; an error that stands for none as it is. */
export function serverErrorOf(error: unknown): unknown {
  return error instanceof Error ? (servers.get(error) ?? error) : error
}
