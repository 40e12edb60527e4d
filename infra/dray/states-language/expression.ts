import type { Template } from 'dray/internal/workflow/states-language.ts'
import jsonata from 'jsonata'
import { StatesError } from './states-error.ts'

/** The value of `$states`. */
export interface StatesVariable {
  readonly input: unknown
  readonly result?: unknown
  readonly errorOutput?: unknown
  readonly context: unknown
}

type Evaluate = (states: StatesVariable) => unknown

/** Functions of JSONata that give the same answer each time, here and on AWS; not `$eval`, `$now`, `$random`. */
const allowedFunctions: ReadonlySet<string> = new Set(
  `abs append average boolean ceil contains count distinct each error exists filter floor join keys length lookup lowercase
   map match max merge min not number power reduce replace reverse round sift single sort split spread sqrt string
   substring substringAfter substringBefore sum trim type uppercase zip`.split(/\s+/),
)

const expressions = new Map<string, Evaluate>()
const templates = new WeakMap<object, Evaluate>()

export function isExpression(text: string): boolean {
  return text.startsWith('{%') && text.endsWith('%}')
}

/** Every string of a template, with the keys that lead to it. */
export function stringsOf(template: Template): readonly string[] {
  if (typeof template === 'string') return [template]
  return typeof template === 'object' && template !== null ? Object.values(template).flatMap(stringsOf) : []
}

/** What is wrong with a string of a template, or null. */
export function problemOf(text: string): string | null {
  if (!isExpression(text)) {
    return text.startsWith('{%') || text.endsWith('%}') ? 'has only one of {% and %}' : null
  }
  try {
    compiled(text)
    return null
  } catch (error) {
    return `cannot be compiled: ${(error as Error).message}`
  }
}

/** A template with its expressions evaluated. Throws `States.QueryEvaluationError`, also where one has no value. */
export async function evaluate(template: Template, states: StatesVariable, state: string): Promise<unknown> {
  try {
    return await evaluatorOf(template)(states)
  } catch (error) {
    if (error instanceof StatesError) throw error
    throw new StatesError('States.QueryEvaluationError', `The state '${state}': ${(error as Error).message}`)
  }
}

function evaluatorOf(template: Template): Evaluate {
  if (typeof template === 'string') return isExpression(template) ? compiled(template) : () => template
  if (typeof template !== 'object' || template === null) return () => template
  const known = templates.get(template)
  if (known !== undefined) return known
  const evaluator = Array.isArray(template)
    ? listEvaluator(template)
    : objectEvaluator(template as Record<string, Template>)
  templates.set(template, evaluator)
  return evaluator
}

function listEvaluator(template: readonly Template[]): Evaluate {
  const items = template.map(evaluatorOf)
  return (states) => Promise.all(items.map((item) => item(states)))
}

function objectEvaluator(template: Readonly<Record<string, Template>>): Evaluate {
  const entries = Object.entries(template).map(([key, value]) => [key, evaluatorOf(value)] as const)
  return async (states) => {
    const values: [string, unknown][] = []
    for (const [key, value] of entries) {
      const found = value(states)
      values.push([key, found instanceof Promise ? await found : found])
    }
    return Object.fromEntries(values)
  }
}

function compiled(text: string): Evaluate {
  const known = expressions.get(text)
  if (known !== undefined) return known
  const source = text.slice(2, -2).trim()
  const expression = jsonata(source)
  checkVariables(expression.ast())
  const general: Evaluate = async (states) => defined(await expression.evaluate(undefined, { states }), source)
  const keys = plainPath(expression.ast())
  const evaluator: Evaluate = keys === null ? general : (states) => alongPath(keys, states) ?? general(states)
  expressions.set(text, evaluator)
  return evaluator
}

function defined(value: unknown, source: string): unknown {
  if (value === undefined || typeof value === 'function') throw new Error(`the expression ${source} has no value.`)
  return value
}

/** The keys of `$states.a.b`, or null for any other expression. */
function plainPath(ast: jsonata.ExprNode): readonly string[] | null {
  // The declared types leave out 'path'.
  const [root, ...steps] = (ast.type as string) === 'path' ? (ast.steps ?? []) : []
  const isPlain = (step: jsonata.ExprNode, type: string) =>
    step.type === type && Object.keys(step).every((key) => key === 'type' || key === 'value' || key === 'position')
  if (root === undefined || !isPlain(root, 'variable') || root.value !== 'states') return null
  if ('keepSingletonArray' in ast || 'group' in ast) return null
  return steps.every((step) => isPlain(step, 'name')) ? steps.map((step) => step.value as string) : null
}

/**
 * Most expressions only follow keys through objects, which needs no evaluator; undefined (or null) where that is not
 * all.
 */
function alongPath(keys: readonly string[], states: StatesVariable): unknown {
  let value: unknown = states
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key))
      return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

function checkVariables(ast: unknown): void {
  const used = new Set<string>()
  const bound = new Set(['states', ''])
  const visit = (node: unknown, seen: Set<unknown>): void => {
    if (typeof node !== 'object' || node === null || seen.has(node)) return
    seen.add(node)
    const { type, value, lhs, arguments: parameters } = node as Record<string, unknown>
    if (type === 'variable') used.add(String(value))
    if (type === 'bind') bound.add(String((lhs as { value: unknown }).value))
    if (type === 'lambda') for (const parameter of parameters as { value: string }[]) bound.add(parameter.value)
    for (const part of Object.values(node)) visit(part, seen)
  }
  visit(ast, new Set())
  for (const name of used) {
    if (!bound.has(name) && !allowedFunctions.has(name)) {
      throw new Error(`$${name} is not implemented by the local interpreter.`)
    }
  }
}
