import type jsonata from 'jsonata'

/** Where an expression stands, as far as it decides what `$states` holds. */
export interface Place {
  /** The output of a Task, Map or Parallel. */
  readonly result: boolean
  /** The output of a catcher. */
  readonly errorOutput: boolean
}

/** Functions of JSONata that give the same answer each time, here and on AWS; not `$eval`, `$now`, `$random`. */
const allowedFunctions: ReadonlySet<string> = new Set(
  `abs append average boolean ceil contains count distinct each error exists filter floor join keys length lookup lowercase
   map max merge min not number power reduce replace reverse round sift single sort split spread sqrt string
   substring substringAfter substringBefore sum trim type uppercase zip`.split(/\s+/),
)

/** Step Functions ends an expression that nests deeper. */
const DEEPEST = 100

/** A node of the syntax tree; the declared types leave out half of it. */
type Node = Readonly<Record<string, unknown>> & { readonly type?: unknown; readonly value?: unknown }

/** What a parsed expression reads of `$states`, beside its input and context. */
export type Reads = Place

/**
 * Throws for what Step Functions refuses when a state machine is created, or may evaluate otherwise than the npm
 * package: a name, `$` or `$$` at the top level, where there is no context item; functions that do not give the same
 * answer each time; regular expressions. What the expression reads is for `problemAt`.
 * https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
 */
export function checkExpression(ast: jsonata.ExprNode): Reads {
  const walk = new Walk()
  walk.visit(ast as unknown as Node, false, 1)
  for (const name of walk.used) {
    if (!walk.bound.has(name) && !allowedFunctions.has(name)) {
      throw new Error(`$${name} is not implemented by the local interpreter.`)
    }
  }
  return { result: walk.read.has('result'), errorOutput: walk.read.has('errorOutput') }
}

/** Why an expression that reads this cannot stand at a place, or null. */
export function problemAt(place: Place, reads: Reads): string | null {
  if (reads.result && !place.result) {
    return 'reads $states.result, which only the Output of a Task, Map or Parallel has'
  }
  return reads.errorOutput && !place.errorOutput
    ? 'reads $states.errorOutput, which only the Output of a Catch has'
    : null
}

const readable: ReadonlySet<unknown> = new Set(['input', 'context', 'result', 'errorOutput'])

class Walk {
  readonly used = new Set<string>()
  readonly bound = new Set<string>()
  readonly read = new Set<unknown>()
  /** The bodies of tail calls are in the tree more than once. */
  readonly #seen = new Set<unknown>()

  /** `hasItem`: inside a path or a predicate, where a name is one of the item's. */
  visit(node: Node, hasItem: boolean, depth: number): void {
    if (this.#seen.has(node)) return
    this.#seen.add(node)
    if (depth > DEEPEST) throw new Error(`it nests deeper than ${DEEPEST} levels.`)
    if (node.type === 'path') {
      this.#path(node, hasItem, depth)
    } else {
      this.#check(node, hasItem)
      for (const [key, part] of Object.entries(node)) {
        const ofItem = key === 'predicate' || key === 'stages' || (key === 'group' && node.type !== 'unary')
        if (key !== 'arguments' || node.type !== 'lambda') this.#visitIn(part, hasItem || ofItem, depth)
      }
    }
  }

  #visitIn(part: unknown, hasItem: boolean, depth: number): void {
    if (Array.isArray(part)) for (const each of part) this.#visitIn(each, hasItem, depth)
    else if (typeof part === 'object' && part !== null) this.visit(part as Node, hasItem, depth + 1)
  }

  #path(node: Node, hasItem: boolean, depth: number): void {
    const [first, ...steps] = node.steps as Node[]
    if (first === undefined) return
    if (first.type === 'variable' && first.value === 'states') this.#readStates(first, steps[0])
    else this.#visitIn(first, hasItem, depth)
    this.#visitIn([steps, node.group], true, depth)
  }

  #readStates(states: Node, field: Node | undefined): void {
    if ('predicate' in states || 'stages' in states || field?.type !== 'name' || !readable.has(field.value)) {
      throw new Error('$states is read by one of its names alone, such as $states.input.')
    }
    this.read.add(field.value)
  }

  #check(node: Node, hasItem: boolean): void {
    const { type, value } = node
    if (type === 'regex') throw new Error('a regular expression can overflow the stack of Step Functions.')
    if (type === 'transform' || type === 'parent') throw new Error(`${type} is not implemented.`)
    if (!hasItem && (type === 'name' || type === 'wildcard' || type === 'descendant')) {
      throw new Error(`it refers to '${value}' at the top level, where there is no item to have it.`)
    }
    if (type === 'variable') this.#variable(String(value), hasItem)
    if (type === 'bind') this.#bind(node.lhs as Node)
    if (type === 'lambda') for (const parameter of node.arguments as Node[]) this.#bind(parameter)
  }

  #bind({ value }: Node): void {
    if (value === 'states') throw new Error('$states cannot be set.')
    this.bound.add(String(value))
  }

  #variable(name: string, hasItem: boolean): void {
    if (name === '$' || (name === '' && !hasItem)) {
      throw new Error(`it refers to $${name} at the top level, where there is no item.`)
    }
    if (name === 'states') throw new Error('$states is read by one of its names alone, such as $states.input.')
    if (name !== '') this.used.add(name)
  }
}
