import { type CarriedType, kindsFor, TYPES_OF } from '#test/contracts/live-types.ts'
import { type Outcome, PLACED, pairName } from '#test/contracts/value-matrix.ts'
import { ENGINES, type Engine, type Speech, type ValueColumn } from '#test/contracts/values.ts'

const NAMES: Readonly<Record<Engine, string>> = {
  postgres: 'PostgreSQL',
  mariadb: 'MariaDB',
  mysql: 'MySQL',
  sqlite: 'SQLite',
}
const SHORT: Readonly<Record<Engine, string>> = { postgres: 'P', mariadb: 'Ma', mysql: 'My', sqlite: 'S' }

const SPOKEN: Readonly<Record<Speech, string>> = { postgres: 'P', mysql: 'M', sqlite: 'S' }
const SPEECHES = ['postgres', 'mysql', 'sqlite'] as const

/** What the codes of the matrix mean: SQLSTATE of PostgreSQL, error numbers of MySQL and SQLite, Dray's own. */
const CODES: ReadonlyMap<string, string> = new Map([
  ['22000', 'PostgreSQL: the column would round the value'],
  ['22001', 'PostgreSQL: too long for the column, spaces at the end counted'],
  ['22003', 'PostgreSQL: out of the range of the type'],
  ['22009', 'PostgreSQL: not a time of day'],
  ['22021', 'PostgreSQL: text cannot hold NUL'],
  ['22030', 'PostgreSQL: `jsonb` keeps one of the keys of the same name'],
  ['22P02', 'PostgreSQL: not a value of the type'],
  ['1264', 'MySQL: out of the range of the type'],
  ['1265', 'MySQL: the column would cut or round the value, or has no such value'],
  ['1292', 'MySQL: TIMESTAMP goes from 1970-01-01 00:00:01 to 2038-01-19 03:14:07 UTC'],
  ['1366', 'MySQL: not a value of the type, or a character that the column’s character set does not have'],
  ['1406', 'MySQL: too long for the column'],
  ['3140', 'MySQL: its JSON would hold another number, or one of two keys of a name; or no JSON'],
  ['20', 'SQLite: the column would round the value, or store −0 as 0'],
  ['invalid_bigint', 'Dray: no integer of 64 bits'],
  ['invalid_integer', 'Dray: no integer, or one beyond ±(2^53 − 1)'],
  ['invalid_decimal', 'Dray: not a decimal'],
  ['invalid_double', 'Dray: not a number, or one with more digits than a double gives back'],
  ['invalid_boolean', 'Dray: neither true nor false'],
  ['invalid_date', 'Dray: no day of the calendar'],
  ['invalid_timestamp', 'Dray: no moment of the calendar'],
  ['too_precise', 'Dray: more digits than the model allows'],
  ['too_long', 'Dray: longer than the model allows'],
])

type Outcomes = ReadonlyMap<string, ReadonlyMap<number, Outcome>>

/** The page on types, in Markdown, of the outcomes of every value by pair. */
export function typesPage(
  outcomes: Outcomes,
  types: ReadonlyMap<Engine, readonly CarriedType[]>,
  settings: ReadonlyMap<Engine, string>,
): string {
  const columns = [...new Set(PLACED.map(({ column }) => column))]
  const codes = new Set([
    ...[...outcomes.values()].flatMap((pair) =>
      [...pair.values()].flatMap((outcome) => (outcome.kind === 'quarantined' ? [outcome.code] : [])),
    ),
    ...[...types.values()].flat().flatMap(({ quarantined }) => [...quarantined.values()]),
  ])
  return `${INTRODUCTION}
## Kinds

| values | field | read from | written to | ${ENGINES.map((engine) => `${NAMES[engine]} refuses`).join(' | ')} |
|---|---|---|---|${ENGINES.map(() => '---|').join('')}
${columns.map((column) => kindLine(column, outcomes)).join('\n')}

${NOTES}
M is both, MariaDB and MySQL.

## Types of columns

Which fields may be declared for a column, by its type in the database; the first is the one to declare. \`checkSchema()\`, \`doctor\` and Plan refuse any other, and
name that one; SQLite's columns hold values of any type, so there it lists what makes sense. A domain is its base type, an enumeration of PostgreSQL and what extensions bring is text. An array is \`text()\` as PostgreSQL writes it (\`{1,2}\`); for JSON, have the
source give \`to_json(…)\` by a view. The extreme values of each type were carried into a column of the same type by each of its fields, and the database found them identical,
or their row was quarantined as it says here.

${[...types].map(([engine, carried]) => typesOf(engine, carried)).join('\n\n')}

## Every pair

${[...settings].map(([engine, text]) => `${NAMES[engine]} was run with ${text}.`).join(' ')}
P is PostgreSQL, Ma MariaDB, My MySQL, S SQLite; \`P→My\` is from PostgreSQL into MySQL. ✓ the value survives, a code: its row is quarantined
with that reason, – the source has no such type or value. No value is changed in silence.

| | ${pairs()
    .map(([source, target]) => `${SHORT[source]}→${SHORT[target]}`)
    .join(' | ')} |
|---|${pairs()
    .map(() => '---|')
    .join('')}
${columns.flatMap((column) => pairLines(column, outcomes)).join('\n')}

## Codes

| code | meaning |
|---|---|
${[...codes]
  .sort()
  .map((code) => `| ${code} | ${meaningOf(code)} |`)
  .join('\n')}
`
}

const INTRODUCTION = `# Types

What becomes of values between PostgreSQL, MariaDB, MySQL and SQLite. This page is written by
\`test/dray/active-record/value-matrix.test.ts\`: each value is put into a source by that database's own SQL, carried by a pipeline that reads it
through the accessor of a model, and compared by a digest that each database computes itself. \`UPDATE_DOCS=1\` writes the page anew.
`

const NOTES = `- \`bigint()\` is a bigint; \`decimal()\`, \`date()\`, \`timestamp()\` and \`json()\` are exact text, each with its own type, never a number or a Date.
- Times of day, intervals, enumerations, sets, arrays and PostgreSQL's bit strings have no field: \`text()\` carries them as the
  database writes them. MySQL's BIT is \`binary()\`, or \`boolean()\` when it is BIT(1).
- A \`timestamp()\` is in UTC, exact to the microsecond. A column without a zone (\`timestamp\`, DATETIME, SQLite's TEXT) is taken as UTC, so no time is
  skipped or comes twice. MySQL's TIMESTAMP columns and PostgreSQL's sessions are read and written in UTC whatever the server's zone is.
- A zero date of MySQL is no moment: \`timestamp()\` and \`date()\` quarantine it, \`text()\` carries it.
- MariaDB and SQLite's REAL store −0 as 0, so it is refused, on MySQL as well. NaN in SQLite's REAL is kept as text.
- MariaDB's JSON is text; MySQL's own JSON type makes doubles of numbers and drops duplicate keys, so such documents are quarantined: LONGTEXT,
  which \`createTable()\` uses, holds them.
- MySQL rounds digits behind the microsecond, and applies the offset of a time, without a warning: such texts are quarantined.
- A date alone in a text column that \`timestamp()\` reads is written with its midnight. SQLite's columns without a type hold a number as text, and take no \`binary()\`.
- \`double()\` refuses a text with more digits than a double gives back.
- \`binary(n)\` holds n bytes at most, in VARBINARY(n) on MySQL, where a key needs it; MySQL's BINARY(n) fills shorter values up with zeros, and says so.
- PostgreSQL's \`char(n)\` fills values up with spaces, which do not count; use \`varchar\` where they do.
- MySQL's FLOAT is read by \`double()\`, with all its digits; by any other field MySQL gives six.
- Text that is not valid UTF-8, which only SQLite stores, is quarantined by a pipeline, its bytes in hexadecimal; any other reading of it stops. Store such bytes as BLOB.
- Tables of 500 columns, with a composite key, with columns named \`order\`, \`__proto__\`, \`constructor\`, \`a"b\`, and \`a\` and \`b\` around a backtick, and without a
  row are carried on all sixteen pairs, too.
- A [replica](replicas.md) within one engine has its source's own types, which this page does not list: arrays, intervals, addresses, \`enum\`, \`year\`, \`time\` and the like. It makes another one of
  extensions and enumerations that its target has not, of MySQL's \`json\`, of a text of MySQL in a character set that is longer in utf8mb4, of MySQL's \`FLOAT(m,d)\`, and of SQLite's columns of numbers that hold texts.
`

/** Types of the same fields, of which the same is quarantined, share a line. */
function typesOf(engine: Engine, carried: readonly CarriedType[]): string {
  const lines = Map.groupBy(Object.keys(TYPES_OF[engine]), (type) => {
    const fields = kindsFor(engine, type).map((kind) => `\`${kind}()\``)
    const refused = carried
      .filter((one) => one.type === type && one.quarantined.size > 0)
      .map(({ kind, quarantined }) => {
        const byCode = Map.groupBy(quarantined, ([, code]) => code)
        const values = [...byCode].map(([code, of]) => `${of.map(([value]) => shortened(value)).join(', ')} (${code})`)
        return `\`${kind}()\`: ${values.join('; ')}`
      })
    return `${fields.join(', ')} | ${refused.join('; ') || 'nothing'} |`
  })
  return `| ${NAMES[engine]} | fields | quarantined |
|---|---|---|
${[...lines].map(([rest, types]) => `| ${types.map(nameOf).join(', ')} | ${rest}`).join('\n')}`
}

function nameOf(type: string): string {
  if (type === '') return 'no type'
  if (type.startsWith('live_')) return type === 'live_pair' ? 'rows' : 'a domain over `integer`'
  return type === 'mood' ? 'enumerations' : `\`${cell(type)}\``
}

function shortened(value: string): string {
  return cell(value.length > 30 ? `${value.slice(0, 30)}…` : value)
}

function pairs(): readonly (readonly [Engine, Engine])[] {
  return ENGINES.flatMap((source) => ENGINES.map((target) => [source, target] as const))
}

function kindLine(column: ValueColumn, outcomes: Outcomes): string {
  const types = (one: Partial<Readonly<Record<Speech, string>>>) =>
    SPEECHES.flatMap((speech) => (one[speech] === undefined ? [] : [`${SPOKEN[speech]}: \`${one[speech]}\``])).join(
      ', ',
    )
  const refused = ENGINES.map((target) => {
    const names = PLACED.filter((placed) => placed.column === column).flatMap(({ id, value }) => {
      const codes = ENGINES.flatMap((source) => {
        const outcome = outcomes.get(pairName(source, target))?.get(id)
        return outcome?.kind === 'quarantined' ? [outcome.code] : []
      })
      return codes.length === 0 ? [] : [`${cell(value.name)} (${[...new Set(codes)].join(', ')})`]
    })
    return names.join('; ')
  })
  return `| ${column.title} | \`${column.declared}\` | ${types(column.source)} | ${types(column.target)} | ${refused.join(' | ')} |`
}

function pairLines(column: ValueColumn, outcomes: Outcomes): readonly string[] {
  const values = PLACED.filter((placed) => placed.column === column)
  const empty = pairs()
    .map(() => ' |')
    .join('')
  return [
    `| **${column.title}** |${empty}`,
    ...values.map(({ id, value }) => {
      const cells = pairs().map(([source, target]) => shown(outcomes.get(pairName(source, target))?.get(id)))
      return `| ${cell(value.name)} | ${cells.join(' | ')} |`
    }),
  ]
}

function shown(outcome: Outcome | undefined): string {
  if (outcome === undefined || outcome.kind === 'no such type') return '–'
  if (outcome.kind === 'survives') return '✓'
  return outcome.kind === 'quarantined' ? outcome.code : `**changed**: ${cell(outcome.message)}`
}

function cell(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('|', '\\|')
}

function meaningOf(code: string): string {
  const meaning = CODES.get(code)
  if (meaning === undefined) throw new Error(`types-page.ts does not say what the code ${code} means; add it to CODES`)
  return meaning
}
