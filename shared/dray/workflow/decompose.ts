/** How the steps of a DAG follow each other when only sequences and parallel branches can be said. */
export type Structure =
  | { readonly kind: 'step'; readonly name: string }
  | { readonly kind: 'sequence'; readonly parts: readonly Structure[] }
  | { readonly kind: 'parallel'; readonly branches: readonly Structure[] }

export interface Decomposition {
  readonly structure: Structure
  /** One sentence for each barrier: which steps wait for steps that they do not depend on. */
  readonly notes: readonly string[]
}

type Ancestors = ReadonlyMap<string, ReadonlySet<string>>
type Related = (one: string, other: string) => boolean

/**
 * Decomposes a DAG, given as its steps in topological order and the ancestors of each, into sequences and parallel
 * branches. It works on the whole order relation, in which a redundant edge (a → c beside a → b → c) makes no
 * difference. Where the DAG is not series-parallel, a barrier is put in and noted.
 */
export function decompose(order: readonly string[], ancestors: Ancestors): Decomposition {
  const notes: string[] = []
  const comparable: Related = (one, other) => isBefore(ancestors, one, other) || isBefore(ancestors, other, one)
  const incomparable: Related = (one, other) => !comparable(one, other)

  const visit = (names: readonly string[]): Structure => {
    const [only] = names
    if (only !== undefined && names.length === 1) return { kind: 'step', name: only }
    const branches = components(names, comparable)
    if (branches.length > 1) return { kind: 'parallel', branches: branches.map(visit) }
    const parts = components(names, incomparable)
    if (parts.length > 1) return { kind: 'sequence', parts: parts.map(visit) }
    const cut = barrier(names, ancestors)
    notes.push(noteOf(cut, ancestors))
    return { kind: 'sequence', parts: [cut.first, cut.rest].map(visit).flatMap(partsOf) }
  }
  return { structure: visit(order), notes }
}

function isBefore(ancestors: Ancestors, one: string, other: string): boolean {
  return ancestors.get(other)?.has(one) ?? false
}

function partsOf(structure: Structure): readonly Structure[] {
  return structure.kind === 'sequence' ? structure.parts : [structure]
}

/** Connected components, each in the order of `names`, ordered by their first member. */
function components(names: readonly string[], related: Related): string[][] {
  const left = new Set(names)
  const found: Set<string>[] = []
  for (const start of names) {
    if (!left.delete(start)) continue
    const component = new Set([start])
    for (const member of component) {
      for (const other of left) {
        if (related(member, other)) {
          left.delete(other)
          component.add(other)
        }
      }
    }
    found.push(component)
  }
  return found.map((component) => names.filter((name) => component.has(name)))
}

interface Cut {
  readonly first: readonly string[]
  readonly rest: readonly string[]
}

/**
 * The cut of the steps into those before and those after a barrier. A chain through both sides is at least as long as
 * the longest chain, so the sum of the two critical paths is least where a cut follows the levels, counted from the
 * start or from the end. Among those cuts, the one that makes the fewest steps wait for steps that they do not depend
 * on.
 */
function barrier(names: readonly string[], ancestors: Ancestors): Cut {
  const fromStart = levels(names, (name, other) => isBefore(ancestors, other, name))
  const fromEnd = levels([...names].reverse(), (name, other) => isBefore(ancestors, name, other))
  const longest = Math.max(...fromStart.values())
  let best: Cut | undefined
  let fewest = Number.POSITIVE_INFINITY
  for (let level = 1; level < longest; level++) {
    for (const isFirst of [
      (name: string) => (fromStart.get(name) ?? 0) <= level,
      (name: string) => (fromEnd.get(name) ?? 0) > longest - level,
    ]) {
      const cut = { first: names.filter(isFirst), rest: names.filter((name) => !isFirst(name)) }
      const waits = needlessWaits(cut, ancestors).length
      if (waits < fewest) {
        fewest = waits
        best = cut
      }
    }
  }
  if (best === undefined) throw new Error(`No barrier divides ${names.join(', ')}.`)
  return best
}

/** 1 for a step that follows no other, else one more than the highest level that it follows. */
function levels(names: readonly string[], follows: Related): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const name of names) {
    let level = 1
    for (const [other, otherLevel] of found) if (follows(name, other)) level = Math.max(level, otherLevel + 1)
    found.set(name, level)
  }
  return found
}

function needlessWaits(cut: Cut, ancestors: Ancestors): [waiting: string, waitedFor: string][] {
  return cut.rest.flatMap((waiting) =>
    cut.first
      .filter((waitedFor) => !isBefore(ancestors, waitedFor, waiting))
      .map((waitedFor): [string, string] => [waiting, waitedFor]),
  )
}

function noteOf(cut: Cut, ancestors: Ancestors): string {
  const waits = new Map<string, string[]>()
  for (const [waiting, waitedFor] of needlessWaits(cut, ancestors)) {
    waits.set(waiting, [...(waits.get(waiting) ?? []), waitedFor])
  }
  const sentences = [...waits].map(([waiting, waitedFor]) => `${waiting} also waits for ${waitedFor.join(', ')}`)
  return `A barrier stands between ${cut.first.join(', ')} and ${cut.rest.join(', ')}, since parallel branches cannot express these dependencies: ${sentences.join('; ')}.`
}
