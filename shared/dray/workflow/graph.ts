import { ConfigurationError } from '#dray/errors.ts'

/** A step, as far as its place among the others goes. */
interface GraphNode {
  readonly name: string
  /** The names of those that come before it. */
  readonly after: readonly string[]
}

/**
 * The steps in an order in which each comes after its dependencies, ties as declared. Throws `Configuration` for a
 * cycle.
 */
export function orderOf(workflowName: string, steps: readonly GraphNode[]): readonly string[] {
  const order: string[] = []
  const placed = new Set<string>()
  let waiting = [...steps]
  while (waiting.length > 0) {
    const ready = waiting.filter((step) => step.after.every((dependency) => placed.has(dependency)))
    if (ready.length === 0) {
      throw new ConfigurationError(
        `Workflow ${workflowName}: ${cycleIn(waiting).join(' → ')} is a cycle, so none of these steps could ever start; remove one of the \`after\`.`,
      )
    }
    for (const step of ready) {
      placed.add(step.name)
      order.push(step.name)
    }
    waiting = waiting.filter((step) => !placed.has(step.name))
  }
  return order
}

/** Every step, and all steps that it waits for, directly or through others. */
export function ancestorsOf(
  steps: readonly GraphNode[],
  order: readonly string[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const after = new Map(steps.map((step) => [step.name, step.after]))
  const ancestors = new Map<string, ReadonlySet<string>>()
  for (const name of order) {
    const all = new Set<string>()
    for (const dependency of after.get(name) ?? []) {
      all.add(dependency)
      for (const further of ancestors.get(dependency) ?? []) all.add(further)
    }
    ancestors.set(name, all)
  }
  return ancestors
}

/** The steps by how many come before them at most, one after the other. */
export function levelsOf(
  order: readonly string[],
  ancestors: ReadonlyMap<string, ReadonlySet<string>>,
): readonly (readonly string[])[] {
  const levels: string[][] = []
  const levelOf = new Map<string, number>()
  for (const name of order) {
    const level = Math.max(-1, ...[...(ancestors.get(name) ?? [])].map((each) => levelOf.get(each) ?? 0)) + 1
    levelOf.set(name, level)
    levels[level] = [...(levels[level] ?? []), name]
  }
  return levels
}

/** Every waiting step waits for another waiting step, so walking back from any of them comes round. */
function cycleIn(waiting: readonly GraphNode[]): string[] {
  const byName = new Map(waiting.map((step) => [step.name, step]))
  const path: string[] = []
  let current = waiting[0]?.name
  while (current !== undefined && !path.includes(current)) {
    path.push(current)
    current = byName.get(current)?.after.find((dependency) => byName.has(dependency))
  }
  const cycle = current === undefined ? path : [...path.slice(path.indexOf(current)), current]
  return cycle.reverse()
}
