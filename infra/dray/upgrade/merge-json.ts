import { applyEdits, type JSONPath, modify, parse } from 'jsonc-parser'

/** What an upgrade did with one key of a file. */
export interface MergedKey {
  /** `scripts.test`. */
  readonly key: string
  /** `kept`: both have changed it, so the user's value stays and has to be looked at. */
  readonly change: 'set' | 'removed' | 'kept'
}

export interface MergedText {
  readonly text: string
  readonly keys: readonly MergedKey[]
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

interface Edit extends MergedKey {
  readonly path: JSONPath
  /** undefined removes the key. */
  readonly value: Json | undefined
}

const formatting = { insertSpaces: true, tabSize: 2, eol: '\n' }

/**
 * Brings into a JSON file (comments and order are kept) what has changed from one version of the framework's template
 * to the next. A value that the user has changed stays; where the framework has changed it as well, that is said.
 */
export function mergeJson(own: string, installed: string, next: string): MergedText {
  const edits = [...editsOf([], parse(own), parse(installed), parse(next))]
  const text = edits
    .filter(({ change }) => change !== 'kept')
    .reduce(
      (merged, { path, value }) => applyEdits(merged, modify(merged, path, value, { formattingOptions: formatting })),
      own,
    )
  return { text, keys: edits.map(({ key, change }) => ({ key, change })) }
}

function* editsOf(
  path: JSONPath,
  own: Json | undefined,
  installed: Json | undefined,
  next: Json | undefined,
): Generator<Edit> {
  if (equal(installed, next) || equal(own, next)) return
  if (isObject(next) && (isObject(own) || own === undefined) && (isObject(installed) || installed === undefined)) {
    for (const key of new Set([...Object.keys(installed ?? {}), ...Object.keys(next)])) {
      yield* editsOf([...path, key], own?.[key], installed?.[key], next[key])
    }
    return
  }
  const key = path.join('.')
  if (isList(next) && isList(own) && (isList(installed) || installed === undefined)) {
    const value = mergeLists(own, installed ?? [], next)
    if (!equal(value, own)) yield { path, key, value, change: 'set' }
  } else if (equal(own, installed)) {
    yield { path, key, value: next, change: next === undefined ? 'removed' : 'set' }
  } else {
    yield { path, key, value: own, change: 'kept' }
  }
}

/** The user's entries, without those that the framework has dropped, and with those that it has added. */
function mergeLists(own: readonly Json[], installed: readonly Json[], next: readonly Json[]): readonly Json[] {
  const has = (list: readonly Json[], value: Json) => list.some((one) => equal(one, value))
  const kept = own.filter((value) => has(next, value) || !has(installed, value))
  return [...kept, ...next.filter((value) => !has(kept, value))]
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

/** The order of keys plays no part. */
function equal(one: Json | undefined, other: Json | undefined): boolean {
  if (isObject(one) && isObject(other)) {
    const keys = Object.keys(one)
    return keys.length === Object.keys(other).length && keys.every((key) => equal(one[key], other[key]))
  }
  if (isList(one) && isList(other)) {
    return one.length === other.length && one.every((value, place) => equal(value, other[place]))
  }
  return one === other
}
