import fc from 'fast-check'

/** Names that a careless quotation, a row as an object, or an alias of a statement would take for another thing. */
const COLUMNS = [
  'order',
  'select',
  '__proto__',
  'constructor',
  'a"b',
  'a`b',
  "a'b",
  'a b',
  'a.b',
  'a,b)',
  'a\\b',
  '[a]',
  '$1',
  '?',
  ':a',
  '%s',
  'Capital',
  'größe',
  '名前',
  'rowid',
  'oid_',
  'target',
  'source',
  'given',
  'staged',
  'input',
  'place',
  'first',
  'last',
  'one',
  'other',
  'key',
  'value',
  'n',
  'u0',
  's',
  't',
  'c0',
  'x'.repeat(63),
] as const

/** A dot divides a schema from a table, so a table has none. */
const TABLES = ['item', 'order', 'a"b', 'a`b', "a'b", 'a b', 'Capital', 'größe', '名前', '$1', 'target', 'y'.repeat(60)]

/** So many different names of columns, different for engines that do not know capitals, too. */
export function columnNames(count: number): fc.Arbitrary<string[]> {
  return fc.uniqueArray(fc.constantFrom<string>(...COLUMNS), { minLength: count, maxLength: count })
}

export const tableName: fc.Arbitrary<string> = fc.constantFrom(...TABLES)
