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

/**
 * An expression of the faults in `$states.input`, joined to one text; empty when there are none. Throws on a schema
 * with other keywords.
 */
export function faultsInInput(schema: Schema): string {
  const shown =
    `$shown := function($v) { ($s := $type($v) = "string" ? '"' & $v & '"' : $string($v); ${firstOf('$s', 80)}) }; ` +
    `$input := $states.input; `
  return `(${shown}$join([${faults(schema, { value: '$input', name: '' })}], "; "))`
}

/** An expression of a list of sentences; those of a list are joined to the list around it. */
function faults(schema: Schema, place: Place): string {
  const alternatives = alternativesByKey(schema)
  if (alternatives !== null) return alternativeFaults(schema, alternatives, place)
  if (isObject(schema)) return objectFaults(schema, place)
  return `${fits(schema, place.value)} ? [] : ${wrong(schema, place)}`
}

function objectFaults(schema: Schema, place: Place): string {
  const names = Object.keys(schema.properties ?? {})
  const may = listOf(names)
  const prefix = place.name === '' ? '' : `${place.name}.`
  const unknown =
    `$map($filter($keys(${place.value}), function($k) { ($k in ${JSON.stringify(names)}) = false }), ` +
    `function($k) { ${JSON.stringify(prefix)} & $k & ${JSON.stringify(` is not known: there may be ${may}`)} })`
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const inside = { value: at(place.value, name), name: `${prefix}${name}` }
    const missing = schema.required?.includes(name) ? JSON.stringify(`${inside.name} is missing`) : '[]'
    return `$exists(${inside.value}) ? (${faults(property as Schema, inside)}) : ${missing}`
  })
  return `$type(${place.value}) = "object" ? [${[unknown, ...properties].join(', ')}] : ${wrong(schema, place)}`
}

/** One key tells which of the alternatives is meant, so that what is said is about that one. */
function alternativeFaults(schema: Schema, alternatives: ReadonlyMap<string, Schema>, place: Place): string {
  const which = [...alternatives].map(([name, property]) => {
    const inside = { value: at(place.value, name), name: `${place.name}.${name}` }
    return `$exists(${inside.value}) ? (${faults(property, inside)}) : `
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
function fits(schema: Schema, value: string, depth = 0): string {
  for (const keyword of Object.keys(schema)) {
    if (!known.has(keyword)) throw new Error(`The keyword ${keyword} of a JSON Schema cannot be compiled to JSONata.`)
  }
  if (schema.anyOf) return `(${schema.anyOf.map((one) => fits(one as Schema, value, depth)).join(' or ')})`
  if (Array.isArray(schema.type)) {
    return `(${schema.type.map((type) => fits({ ...schema, type } as Schema, value, depth)).join(' or ')})`
  }
  const isType = `$type(${value}) = ${JSON.stringify(schema.type)}`
  const more = detailsOf(schema, value, depth)
  return more.length === 0 ? `(${isType})` : `(${isType} ? ${more.join(' and ')} : false)`
}

function detailsOf(schema: Schema, value: string, depth: number): string[] {
  switch (schema.type) {
    case 'null':
      return []
    case 'string':
      return [
        ...(schema.const === undefined ? [] : [`${value} = ${JSON.stringify(schema.const)}`]),
        ...(schema.enum === undefined ? [] : [`${value} in ${JSON.stringify(schema.enum)}`]),
        ...(schema.minLength === undefined ? [] : [`$length(${value}) >= ${schema.minLength}`]),
      ]
    case 'array':
      return [
        ...(schema.minItems === undefined ? [] : [`$count(${value}) >= ${schema.minItems}`]),
        ...each('$map', value, depth, (item) => fits(schema.items as Schema, item, depth + 1)),
      ]
    case 'object':
      return isObject(schema) ? propertiesOf(schema, value, depth) : valuesOf(schema, value, depth)
    default:
      throw new Error(`A JSON Schema of the type ${schema.type} cannot be compiled to JSONata.`)
  }
}

function propertiesOf(schema: Schema, value: string, depth: number): string[] {
  const names = Object.keys(schema.properties ?? {})
  return [
    ...each('$map', `$keys(${value})`, depth, (name) => `${name} in ${JSON.stringify(names)}`),
    ...Object.entries(schema.properties ?? {}).map(([name, property]) => {
      const inside = at(value, name)
      const missing = schema.required?.includes(name) ? 'false' : 'true'
      return `($exists(${inside}) ? ${fits(property as Schema, inside, depth)} : ${missing})`
    }),
  ]
}

function valuesOf(schema: Schema, value: string, depth: number): string[] {
  return each('$each', value, depth, (item) => fits(schema.additionalProperties as Schema, item, depth + 1))
}

/** True when the condition holds for each; booleans are collected, since a list of one bad list would collapse. */
function each(by: '$map' | '$each', value: string, depth: number, holds: (item: string) => string): string[] {
  const item = `$i${depth}`
  return [`(false in ${by}(${value}, function(${item}) { ${holds(item)} })) = false`]
}

function at(value: string, name: string): string {
  return `${value}.\`${name}\``
}
