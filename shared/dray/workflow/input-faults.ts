/** From a JSON Schema to JSONata that says, in words, what of a value the schema does not allow. */
import type * as z from 'zod'
import { listOf } from '#dray/messages/run-input.ts'
import { firstOf } from './expressions.ts'

type Schema = z.core.JSONSchema.JSONSchema

/** Where a value is: as an expression, and as a person names it (empty for the whole input). */
interface Place {
  readonly value: string
  readonly name: string
}

/** What is compiled; `default` and `$schema` say nothing about which values there may be. */
const known = new Set(
  `$schema additionalProperties anyOf const default description enum items minItems minLength properties propertyNames
   required type`.split(/\s+/),
)

/** In characters: a cause of more than 32,768 is no cause to Step Functions, and an input may have 262,144. */
const MOST_SAID = 2_000

/**
 * An expression of the faults in `$states.input`, joined to one text; empty when there are none. Throws on a schema
 * with other keywords.
 */
export function faultsInInput(schema: Schema): string {
  const shown =
    `$shown := function($v) { ($s := $type($v) = "string" ? '"' & $v & '"' : $string($v); ${firstOf('$s', 80)}) }; ` +
    `$input := $states.input; `
  const lists = new Lists()
  const found = faults(schema, { value: '$input', name: '' }, lists)
  return `(${shown}${lists.set()}$said := $join([${found}], "; "); ${firstOf('$said', MOST_SAID)})`
}

/**
 * Lists of names, set once at the start: the depth that Java counts grows with each call of a function that makes a
 * list of two or more.
 */
class Lists {
  readonly #names = new Map<string, string>()

  /** An expression of whether a value is one of the texts. */
  holds(value: string, texts: readonly unknown[]): string {
    const list = JSON.stringify(texts)
    const name = this.#names.get(list) ?? `$list${this.#names.size}`
    this.#names.set(list, name)
    return `${value} in ${name}`
  }

  set(): string {
    return [...this.#names].map(([list, name]) => `${name} := ${list}; `).join('')
  }
}

/** An expression of a list of sentences; those of a list are joined to the list around it. */
function faults(schema: Schema, place: Place, lists: Lists): string {
  const alternatives = alternativesByKey(schema)
  if (alternatives !== null) return alternativeFaults(schema, alternatives, place, lists)
  if (isObject(schema)) return objectFaults(schema, place, lists)
  return `${fits(schema, place.value, lists)} ? [] : ${wrong(schema, place)}`
}

function objectFaults(schema: Schema, place: Place, lists: Lists): string {
  const names = Object.keys(schema.properties ?? {})
  const may = listOf(names)
  const prefix = place.name === '' ? '' : `${place.name}.`
  const unknown =
    `$map($filter($keys(${place.value}), function($k) { (${lists.holds('$k', names)}) = false }), ` +
    `function($k) { ${JSON.stringify(prefix)} & $k & ${JSON.stringify(` is not known: there may be ${may}`)} })`
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const inside = { value: at(place.value, name), name: `${prefix}${name}` }
    const missing = schema.required?.includes(name) ? JSON.stringify(`${inside.name} is missing`) : '[]'
    return `$exists(${inside.value}) ? (${faults(property as Schema, inside, lists)}) : ${missing}`
  })
  return `$type(${place.value}) = "object" ? [${[unknown, ...properties].join(', ')}] : ${wrong(schema, place)}`
}

/** One key tells which of the alternatives is meant, so that what is said is about that one. */
function alternativeFaults(
  schema: Schema,
  alternatives: ReadonlyMap<string, Schema>,
  place: Place,
  lists: Lists,
): string {
  const which = [...alternatives].map(([name, property]) => {
    const inside = { value: at(place.value, name), name: `${place.name}.${name}` }
    return `$exists(${inside.value}) ? (${faults(property, inside, lists)}) : `
  })
  const { value } = place
  const isOne = `($type(${value}) = "object" ? $count($keys(${value})) = 1 : false)`
  return `${isOne} ? (${which.join('')}${wrong(schema, place)}) : ${wrong(schema, place)}`
}

function alternativesByKey({ anyOf }: Schema): ReadonlyMap<string, Schema> | null {
  const byKey = new Map<string, Schema>()
  for (const alternative of (anyOf ?? []) as Schema[]) {
    const [first, ...more] = isObject(alternative) ? Object.entries(alternative.properties ?? {}) : []
    if (first === undefined || more.length > 0 || !alternative.required?.includes(first[0])) return null
    byKey.set(first[0], first[1] as Schema)
  }
  return byKey.size > 0 ? byKey : null
}

/** An object of which all keys are known. */
function isObject(schema: Schema): boolean {
  return schema.type === 'object' && schema.additionalProperties === false
}

function wrong(schema: Schema, { value, name }: Place): string {
  const wanted = schema.description ?? (schema.type === 'string' ? 'a string' : 'an object')
  return `${JSON.stringify(`${name || 'the input'} has to be ${wanted}, not `)} & $shown(${value})`
}

/**
 * An expression that is true for the values that a schema allows. It holds for any value: no operator meets what it
 * does not take.
 */
function fits(schema: Schema, value: string, lists: Lists, depth = 0): string {
  for (const keyword of Object.keys(schema)) {
    if (!known.has(keyword)) throw new Error(`The keyword ${keyword} of a JSON Schema cannot be compiled to JSONata.`)
  }
  if (schema.anyOf) return `(${schema.anyOf.map((one) => fits(one as Schema, value, lists, depth)).join(' or ')})`
  if (Array.isArray(schema.type)) {
    return `(${schema.type.map((type) => fits({ ...schema, type } as Schema, value, lists, depth)).join(' or ')})`
  }
  const isType = `$type(${value}) = ${JSON.stringify(schema.type)}`
  const more = detailsOf(schema, value, lists, depth)
  return more.length === 0 ? `(${isType})` : `(${isType} ? ${more.join(' and ')} : false)`
}

function detailsOf(schema: Schema, value: string, lists: Lists, depth: number): string[] {
  switch (schema.type) {
    case 'null':
      return []
    case 'string':
      return [
        ...(schema.const === undefined ? [] : [`${value} = ${JSON.stringify(schema.const)}`]),
        ...(schema.enum === undefined ? [] : [lists.holds(value, schema.enum)]),
        ...(schema.minLength === undefined ? [] : [`$length(${value}) >= ${schema.minLength}`]),
      ]
    case 'array':
      return [
        ...(schema.minItems === undefined ? [] : [`$count(${value}) >= ${schema.minItems}`]),
        ...each('$map', value, depth, (item) => fits(schema.items as Schema, item, lists, depth + 1)),
      ]
    case 'object':
      return isObject(schema) ? propertiesOf(schema, value, lists, depth) : valuesOf(schema, value, lists, depth)
    default:
      throw new Error(`A JSON Schema of the type ${schema.type} cannot be compiled to JSONata.`)
  }
}

function propertiesOf(schema: Schema, value: string, lists: Lists, depth: number): string[] {
  const names = Object.keys(schema.properties ?? {})
  return [
    ...each('$map', `$keys(${value})`, depth, (name) => lists.holds(name, names)),
    ...Object.entries(schema.properties ?? {}).map(([name, property]) => {
      const inside = at(value, name)
      const missing = schema.required?.includes(name) ? 'false' : 'true'
      return `($exists(${inside}) ? ${fits(property as Schema, inside, lists, depth)} : ${missing})`
    }),
  ]
}

function valuesOf(schema: Schema, value: string, lists: Lists, depth: number): string[] {
  return each('$each', value, depth, (item) => fits(schema.additionalProperties as Schema, item, lists, depth + 1))
}

/** True when the condition holds for each; booleans are collected, since a list of one bad list would collapse. */
function each(by: '$map' | '$each', value: string, depth: number, holds: (item: string) => string): string[] {
  const item = `$i${depth}`
  return [`(false in ${by}(${value}, function(${item}) { ${holds(item)} })) = false`]
}

function at(value: string, name: string): string {
  return `${value}.\`${name}\``
}
