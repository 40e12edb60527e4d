import type { PulledField } from './pulled-fields.ts'

/** A line of a model before and after. */
export interface ChangedField {
  readonly before: string
  /** Null where the field is gone. */
  readonly after: string | null
  readonly why: string
}

/** A property of the object of fields, by its places in the file. */
interface Property {
  readonly name: string
  /** Where its name begins. */
  readonly start: number
  /** Behind its value, before the comma. */
  readonly end: number
  /** Behind what stands before it: the brace, or the comma of the one before. */
  readonly from: number
}

/**
 * Writes changed fields into the text of a model, `….source('customers', { … })`. Null where the text declares its
 * fields in another way, so that a person has to.
 */
export function mendedModel(
  text: string,
  table: string,
  fields: readonly PulledField[],
): { readonly text: string; readonly changes: readonly ChangedField[] } | null {
  const open = openingBrace(text, table)
  const properties = open === null ? [] : propertiesOf(text, open)
  const found = fields.map((field) => ({ field, property: properties.find(({ name }) => name === field.name) }))
  const changes: ChangedField[] = []
  let mended = text
  // From the end on, so that the places before stay right.
  for (const { field, property } of found.sort(
    (one, other) => (other.property?.start ?? 0) - (one.property?.start ?? 0),
  )) {
    if (property === undefined) return null
    const before = text.slice(property.start, property.end)
    const after = field.isGone ? null : mendedField(before, field)
    if (after === undefined) return null
    const [start, end] = after === null ? lineOf(text, property) : [property.start, property.end]
    mended = `${mended.slice(0, start)}${after ?? ''}${mended.slice(end)}`
    changes.unshift({ before, after, why: field.why })
  }
  const former = changes.flatMap(({ before }) => /:\s*([a-z]+)\(/.exec(before)?.[1] ?? [])
  return { text: importing(mended, fields, former), changes }
}

const KIND = /^(\s*)([a-z]+)\(([^()]*)\)/

function mendedField(property: string, { kind, becomesNullable }: PulledField): string | undefined {
  const colon = property.indexOf(':')
  const [name, value] = [property.slice(0, colon), property.slice(colon + 1)]
  const [whole, blank = '', former = '', sizes = ''] = KIND.exec(value) ?? []
  if (whole === undefined) return undefined
  const rest = value.slice(whole.length)
  return `${name}:${blank}${kind ?? `${former}(${sizes})`}${becomesNullable ? '.nullable()' : ''}${rest}`
}

/** With the comma, what stands before it since the last one, and a comment behind it in the same line. */
function lineOf(text: string, { from, end }: Property): [number, number] {
  const behind = /^\s*,?[ \t]*(?:\/\/[^\n]*)?/.exec(text.slice(end))?.[0] ?? ''
  const hasComma = behind.includes(',')
  return [from, hasComma ? end + behind.length : end]
}

function openingBrace(text: string, table: string): number | null {
  const name = table.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const declared = [...text.matchAll(new RegExp(`\\.source\\(\\s*(['"\`])${name}\\1\\s*,\\s*\\{`, 'g'))]
  const [only] = declared
  return only === undefined || declared.length > 1 ? null : only.index + only[0].length - 1
}

function propertiesOf(text: string, open: number): Property[] {
  const properties: Property[] = []
  let from = open + 1
  let place = from
  while (place < text.length) {
    const start = behindBlanks(text, from)
    if (text[start] === '}') break
    place = endOfValue(text, start)
    const name = /^(['"]?)([\w$]+)\1\s*:/.exec(text.slice(start, place))?.[2]
    if (name !== undefined) properties.push({ name, start, end: endWithoutBlanks(text, place), from })
    if (text[place] !== ',') break
    from = place + 1
  }
  return properties
}

const BLANK = /^(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/

function behindBlanks(text: string, place: number): number {
  return place + (BLANK.exec(text.slice(place))?.[0].length ?? 0)
}

function endWithoutBlanks(text: string, place: number): number {
  let end = place
  while (/\s/.test(text[end - 1] ?? '')) end--
  return end
}

const SKIPPED = /^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\/[^\n]*|\/\*[\s\S]*?\*\/)/

/** The comma behind a value, or the brace that ends the object. */
function endOfValue(text: string, start: number): number {
  let depth = 0
  for (let place = start; place < text.length; ) {
    const skipped = SKIPPED.exec(text.slice(place))?.[0]
    const character = text[place] as string
    if (skipped === undefined) {
      if (depth === 0 && (character === ',' || character === '}')) return place
      if ('([{'.includes(character)) depth++
      if (')]}'.includes(character)) depth--
    }
    place += skipped?.length ?? 1
  }
  return text.length
}

const IMPORT = /import \{([^}]*)\} from (['"])dray\2/

/** With the kinds that the file does not import yet, and without those that it had for these fields alone. */
function importing(text: string, fields: readonly PulledField[], former: readonly string[]): string {
  const kinds = fields.flatMap(({ kind }) => (kind === null ? [] : [kind.replace(/\(.*/, '')]))
  return text.replace(IMPORT, (whole, list: string) => {
    const rest = text.replace(whole, '')
    const isLeft = (name: string) => !former.includes(name) || new RegExp(`\\b${name}\\b`).test(rest)
    const given = list.split(',').flatMap((name) => name.trim() || [])
    const names = [...new Set([...given.filter(isLeft), ...kinds])]
    const isSame = names.length === given.length && names.every((name) => given.includes(name))
    return isSame ? whole : whole.replace(`{${list}}`, `{ ${names.sort().join(', ')} }`)
  })
}
