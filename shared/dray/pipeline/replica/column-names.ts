import { camelCase } from '#dray/active-record/names.ts'
import { ActiveRecord } from '#dray/active-record/record.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import { shortHash } from '#dray/messages/step-name.ts'

/** PostgreSQL cuts names at so many bytes, and MySQL refuses longer ones than 64 characters. */
const MOST_NAME_BYTES = 63
/** What every record has beside its fields, and `then`, which makes a promise of an object. */
const OWN = new Set(['then', 'assign', 'isValid', 'save', 'saveOrFail', 'destroy', 'reload'])

/** Properties of columns: no two alike, none that a record has itself. */
export function propertyNames(columns: readonly string[]): string[] {
  const given = new Set<string>()
  const isTaken = (name: string) => given.has(name) || OWN.has(name) || name in ActiveRecord.prototype
  return columns.map((column) => {
    const name = camelCase(column)
    let free = name
    for (let count = 2; isTaken(free); count++) free = `${name}${count}`
    given.add(free)
    return free
  })
}

/**
 * What columns are called in the target: as in the source, but for names that it cannot have. One that is too long is
 * cut, one that begins as Dray's own names do gets a line before it, and of two that are one name there the later one
 * bears its hash.
 */
export function targetNames(columns: readonly string[], { alter }: Adapter): string[] {
  const given = new Set<string>()
  const alike = (name: string) => (alter.ignoresCase ? name.toLowerCase() : name)
  return columns.map((column) => {
    const plain = fittingName(column)
    const free = given.has(alike(plain)) ? marked(plain, column) : plain
    given.add(alike(free))
    return free
  })
}

/** Whether an engine takes two names for one. */
export function isAlike(one: string, other: string, { alter }: NamingEngine): boolean {
  return alter.ignoresCase ? one.toLowerCase() === other.toLowerCase() : one === other
}

interface NamingEngine {
  readonly alter: Pick<Adapter['alter'], 'ignoresCase'>
}

/** A name that each engine can have, the same each time. */
export function fittingName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no engine has these in a name.
  const printable = name.replace(/[\u0000-\u001f\u007f]/g, '_').replace(/ +$/, (blanks) => '_'.repeat(blanks.length))
  const other = /^dray[_$]/i.test(printable) ? `_${printable}` : printable
  return Buffer.byteLength(other) > MOST_NAME_BYTES ? marked(other, name) : other
}

function marked(name: string, whole: string): string {
  const most = MOST_NAME_BYTES - 9
  let cut = name
  while (Buffer.byteLength(cut) > most) cut = [...cut].slice(0, -1).join('')
  return `${cut}_${shortHash(whole)}`
}
