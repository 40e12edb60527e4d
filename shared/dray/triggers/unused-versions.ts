/** Published versions of functions, as state machines name them: `arn:aws:lambda:…:function:<name>:<number>`. */
const VERSION = /:function:([\w-]+):(\d+)/g

/** A published version of a function. */
export interface PublishedVersion {
  readonly number: number
  /** Milliseconds since 1970. */
  readonly publishedAt: number
}

/** Those of each function that a definition names, by the function's name. */
export function versionsIn(definitions: Iterable<string>): ReadonlyMap<string, ReadonlySet<number>> {
  const found = new Map<string, Set<number>>()
  for (const definition of definitions) {
    for (const [, name = '', number] of definition.matchAll(VERSION)) {
      const known = found.get(name) ?? new Set()
      found.set(name, known.add(Number(number)))
    }
  }
  return found
}

/** A deployment publishes versions, and names them when it is done. */
const SETTLED_MS = 24 * 3_600_000

/**
 * The versions of a function that may be deleted: no machine and no running execution names them, they are not the one
 * before the newest that is named, to which a deployment that fails goes back, and they are a day old. Of a function
 * that nothing names, none: its deployment is not over, or it is not one that a machine calls.
 */
export function unusedVersions(
  versions: readonly PublishedVersion[],
  named: ReadonlySet<number>,
  now: number,
): readonly number[] {
  const newest = Math.max(...named)
  const before = Math.max(...versions.map(({ number }) => number).filter((number) => number < newest))
  return versions
    .filter(({ number, publishedAt }) => {
      const isKept = named.has(number) || number === before || number > newest
      return !isKept && now - publishedAt > SETTLED_MS
    })
    .map(({ number }) => number)
}
