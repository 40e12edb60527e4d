import type { CopiedColumn, CopiedType, CopyTypes } from '../copied-types.ts'
import type { FieldKind } from '../field-kind.ts'
import { affinityOf } from './affinity.ts'

/** A name of words, with sizes behind it. */
const PLAIN = /^[a-z_][\w ]*(?:\(\s*[+-]?\d+\s*(?:,\s*[+-]?\d+\s*)?\))?$/i
/** Words that end the name of a type. */
const NO_TYPE =
  /\b(?:constraint|primary|key|not|null|unique|check|default|collate|references|generated|always|as|on|autoincrement|any)\b/i

/** What a column of whole numbers takes; other values it would refuse. */
const WHOLE: ReadonlySet<FieldKind> = new Set(['bigint', 'integer', 'boolean'])

/**
 * A column of the same declared type converts what is stored as its source did, so that what came back from that stays.
 * Without a conversion a text and a number may read alike.
 */
function isTaken({ type, kind }: CopiedColumn): boolean {
  const affinity = affinityOf(type)
  return PLAIN.test(type) && !NO_TYPE.test(type) && affinity !== 'BLOB' && (affinity !== 'INTEGER' || WHOLE.has(kind))
}

export const copiedTypes: CopyTypes = async ({ columns }) =>
  new Map(columns.filter(isTaken).map(({ name, type }): [string, CopiedType] => [name, { type, made: type }]))
