import type { Template } from 'dray/internal/workflow/states-language.ts'
import jsonata from 'jsonata'
import { checkExpression, type Place, problemAt, type Reads } from './check-expression.ts'
import { EVALUATION_FAILED, type HistoryQuota } from './history-quota.ts'
import { StatesError } from './states-error.ts'

/** The value of `$states`. */
export interface StatesVariable {
  readonly input: unknown
  readonly result?: unknown
  readonly errorOutput?: unknown
  readonly context: unknown
}

type Evaluate = (states: StatesVariable) => unknown

interface Compiled {
  readonly evaluate: Evaluate
  readonly reads: Reads
}

const expressions = new Map<string, Compiled>()
const templates = new WeakMap<object, Evaluate>()

export function isExpression(text: string): boolean {
  return text.startsWith('{%') && text.endsWith('%}')
}

/** Every string of a template, with the keys that lead to it. */
export function stringsOf(template: Template): readonly string[] {
  if (typeof template === 'string') return [template]
  return typeof template === 'object' && template !== null ? Object.values(template).flatMap(stringsOf) : []
}

/** What is wrong with a string of a template at its place, or null. */
export function problemOf(text: string, place: Place): string | null {
  if (!isExpression(text)) {
    return text.startsWith('{%') || text.endsWith('%}') ? 'has only one of {% and %}' : null
  }
  try {
    return problemAt(place, compiled(text).reads)
  } catch (error) {
    return `cannot be compiled: ${(error as Error).message}`
  }
}

/**
 * A template with its expressions evaluated. Throws `States.QueryEvaluationError`, which the history counts, also where
 * one has no value.
 */
export async function evaluate(
  template: Template,
  states: StatesVariable,
  state: string,
  history?: HistoryQuota,
): Promise<unknown> {
  try {
    return await evaluatorOf(template)(states)
  } catch (error) {
    history?.add(EVALUATION_FAILED)
    throw new StatesError('States.QueryEvaluationError', `The state '${state}': ${(error as Error).message}`)
  }
}

function evaluatorOf(template: Template): Evaluate {
  if (typeof template === 'string') return isExpression(template) ? compiled(template).evaluate : () => template
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

function compiled(text: string): Compiled {
  const known = expressions.get(text)
  if (known !== undefined) return known
  const source = text.slice(2, -2).trim()
  const keys = plainPath(source)
  const parts = keys === null ? parsed(source) : pathOnly(source, keys)
  expressions.set(text, parts)
  return parts
}

function parsed(source: string): Compiled {
  const expression = jsonata(source)
  const reads = checkExpression(expression.ast())
  return { evaluate: async (states) => dataOf(await expression.evaluate(undefined, { states }), source), reads }
}

/** Most expressions only follow keys through objects, which needs neither a parser nor an evaluator. */
function pathOnly(source: string, keys: readonly string[]): Compiled {
  const [read] = keys
  return {
    evaluate: (states) => alongPath(keys, states) ?? parsed(source).evaluate(states),
    reads: { result: read === 'result', errorOutput: read === 'errorOutput' },
  }
}

/**
 * Only what JSON holds leaves an expression: not nothing (nor what the package finds in a prototype, and Java does
 * not), and no function at any depth.
 */
function dataOf(value: unknown, source: string): unknown {
  if (value === undefined || typeof value === 'function') throw new Error(`the expression ${source} has no value.`)
  const parts = [value]
  for (let part = parts.pop(); part !== undefined || parts.length > 0; part = parts.pop()) {
    if (typeof part === 'function' || isFunction(part)) {
      throw new Error(`the expression ${source} has a function as its value, which is no data.`)
    }
    if (typeof part === 'object' && part !== null) for (const each of Object.values(part)) parts.push(each)
  }
  return value
}

/** As JSONata holds a lambda, or one of its functions. */
function isFunction(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { _jsonata_lambda: lambda, _jsonata_function: native } = value as Record<string, unknown>
  return lambda === true || native === true
}

/** The keys of `$states.input.a`, or null for any other expression. */
function plainPath(source: string): readonly string[] | null {
  const [, path] = /^\$states\.((?:input|context|result|errorOutput)(?:\.[a-zA-Z]\w*){0,20})$/.exec(source) ?? []
  const keys = path?.split('.') ?? []
  return keys.length === 0 || keys.some((key) => WORDS.has(key)) ? null : keys
}

/** Names that JSONata may read as something else. */
const WORDS: ReadonlySet<string> = new Set(['and', 'or', 'in', 'true', 'false', 'null', 'function'])

/** Undefined (or null) where a path leads to something else than a value of an object. */
function alongPath(keys: readonly string[], states: StatesVariable): unknown {
  let value: unknown = states
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key))
      return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}
