import { Database } from 'dray/internal/active-record/database.ts'
import { bigint } from 'dray/internal/active-record/field-kinds.ts'
import { camelCase, capital, wordsOf } from 'dray/internal/active-record/names.ts'
import { tableNameOf } from 'dray/internal/database/table-name.ts'

/** What every record has, so that no field may be called so. */
const member: object = new Database('names').table('names', { x$: bigint() }).prototype
/** `await` takes an object that has a `then` for a promise. */
const isReserved = (name: string) => name in member || name === 'then'

/** Words of the language, and what the files that are written import or declare. */
const TAKEN = new Set(
  (
    'await break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in ' +
    'instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield ' +
    'arguments eval undefined changedSince copyFields cron event fullLoad handler pipeline project replace replicate row rows run test ' +
    'testPipeline upsert workflow xid'
  ).split(' '),
)

/** Properties for the columns, in their order: no two alike, none that a record has itself. */
export function propertiesOf(columns: readonly string[]): string[] {
  const given = new Set<string>()
  return columns.map((column) => {
    const camel = camelCase(column)
    const name = isReserved(camel) ? `${camel}Value` : camel
    let free = name
    for (let count = 2; given.has(free) || isReserved(free); count++) free = `${name}${count}`
    given.add(free)
    return free
  })
}

/** `InvoiceLine` of `invoice_lines`. */
export function className(table: string): string {
  const words = wordsOf(tableNameOf(table).name)
  const last = words.length - 1
  return words.map((word, place) => capital(place === last ? singular(word) : word)).join('')
}

function singular(word: string): string {
  if (/[^aeiou]ies$/.test(word)) return word.replace(/ies$/, 'y')
  if (/(ss|x|ch|sh)es$/.test(word)) return word.slice(0, -2)
  return /[^siu]s$/.test(word) && word.length > 3 ? word.slice(0, -1) : word
}

/** `an invoice line` of `InvoiceLine`. */
export function spoken(className: string): string {
  const words = wordsOf(className).join(' ')
  return `${/^[aeio]/.test(words) ? 'an' : 'a'} ${words}`
}

/** The name of a pipeline, which is its folder: in plain letters, 50 at most. */
export function kebabCase(name: string): string {
  const plain = wordsOf(name)
    .join('-')
    .replaceAll('ß', 'ss')
    .normalize('NFKD')
    .replace(/[^a-z0-9-]+/g, '')
    .replace(/-+/g, '-')
    .replace(/^-+|-+$/g, '')
  const kebab = /^[a-z]/.test(plain) ? plain : `t${plain === '' ? '' : `-${plain}`}`
  return kebab.slice(0, 50).replace(/-+$/, '')
}

/** What the pipeline of a name is exported as. */
export function constantName(pipeline: string): string {
  const name = pipeline.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  return TAKEN.has(name) ? `${name}Rows` : name
}
