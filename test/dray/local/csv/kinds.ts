import type { GivenFormat } from 'dray-infra/internal/local/csv/format.ts'
import type { CsvImport } from 'dray-infra/internal/local/csv/import.ts'

/** A file as it is met in the world, and what is right for it. */
export interface Kind {
  readonly name: string
  readonly bytes: Buffer
  readonly given?: GivenFormat
  /** What else is said of it. */
  readonly said?: Pick<CsvImport, 'header' | 'hasHeader' | 'skipLines'>
  /** The columns and the rows that the table has then, in the order of the file. */
  readonly holds?: readonly (readonly (string | null)[])[]
  /** How the file was found to be written. */
  readonly format?: GivenFormat
  readonly notes?: RegExp
  /** What the refusal says; the table is not there then. */
  readonly refused?: RegExp
}

const utf8 = (text: string) => Buffer.from(text)
const withMark = (text: string) => Buffer.from(`\ufeff${text}`)
const utf16le = (text: string) => Buffer.from(text, 'utf16le')
const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16()
const bytesOf = (text: string) => Buffer.from(text, 'latin1')

const AB = [['a', 'b'] as const]
const PLAIN = [...AB, ['1', 'x'], ['2', 'y']]
const LONG = 'long text, '.repeat(200_000)
const MANY = Array.from({ length: 120_000 }, (_, row) => [`${row}`, `name ${row}`])

const separators: readonly Kind[] = [
  { name: 'commas', bytes: utf8('a,b\n1,x\n2,y\n'), holds: PLAIN, format: { delimiter: ',', lineEnds: 'lf' } },
  { name: 'semicolons', bytes: utf8('a;b\n1;x\n2;y\n'), holds: PLAIN, format: { delimiter: ';' } },
  { name: 'tabs', bytes: utf8('a\tb\n1\tx\n2\ty\n'), holds: PLAIN, format: { delimiter: '\t' } },
  { name: 'pipes', bytes: utf8('a|b\n1|x\n2|y\n'), holds: PLAIN, format: { delimiter: '|' } },
  { name: 'tildes', bytes: utf8('a~b\n1~x\n2~y\n'), holds: PLAIN, format: { delimiter: '~' } },
  { name: 'U+0001, as Hive writes', bytes: utf8('a\u0001b\n1\u0001x\n2\u0001y\n'), holds: PLAIN },
  {
    name: 'colons, which have to be said',
    bytes: utf8('a:b\n1:x\n2:y\n'),
    given: { delimiter: ':' },
    holds: PLAIN,
  },
  {
    name: 'semicolons, and numbers with a decimal comma',
    bytes: utf8('a;b\n1,5;x\n2,25;y\n'),
    holds: [...AB, ['1,5', 'x'], ['2,25', 'y']],
  },
  {
    name: 'semicolons, and text with commas and tabs',
    bytes: utf8('a;b\n1;x, y,\tz\n2;,,\n'),
    holds: [...AB, ['1', 'x, y,\tz'], ['2', ',,']],
  },
  {
    name: 'commas within quotes, more of them than between fields',
    bytes: utf8('a;b\n1;"x,y"\n2;"p,q"\n'),
    holds: [...AB, ['1', 'x,y'], ['2', 'p,q']],
  },
  {
    name: 'two characters that may both separate',
    bytes: utf8('a,p;b\n1,x;y\n2,z;w\n'),
    refused: /separated by comma or by semicolon.*--delimiter comma/,
  },
  {
    name: 'two characters that may both separate, and one is said',
    bytes: utf8('a,p;b\n1,x;y\n'),
    given: { delimiter: ';' },
    holds: [
      ['a,p', 'b'],
      ['1,x', 'y'],
    ],
  },
  { name: 'one column', bytes: utf8('a\nx\ny\n'), holds: [['a'], ['x'], ['y']] },
  {
    name: 'one column, and text with a comma without quotes',
    bytes: utf8('a\nx, y\nz\n'),
    holds: [['a'], ['x, y'], ['z']],
  },
  {
    name: 'an empty line in one column',
    bytes: utf8('a\nx\n\ny\n'),
    refused: /line 3: an empty line in a file of one column/,
  },
  {
    name: 'empty lines at the end of one column, as NULL is written there by psql',
    bytes: utf8('a\nx\n\n'),
    refused: /line 3: an empty line in a file of one column/,
  },
]

const encodings: readonly Kind[] = [
  {
    name: 'UTF-8 of all lengths',
    bytes: utf8('a,b\nÄ,€\n漢,😀\n'),
    holds: [...AB, ['Ä', '€'], ['漢', '😀']],
    format: { encoding: 'utf-8' },
  },
  { name: 'UTF-8 with a byte order mark', bytes: withMark('a,b\n1,x\n2,y\n'), holds: PLAIN },
  {
    name: 'a byte order mark before a quoted header',
    bytes: withMark('"a","b"\r\n"1","x"\r\n"2","y"\r\n'),
    holds: PLAIN,
  },
  {
    name: 'UTF-16 LE with a byte order mark, as "Unicode text" of Excel',
    bytes: utf16le('\ufeffa\tb\r\nÄ\t😀\r\n'),
    holds: [...AB, ['Ä', '😀']],
    format: { encoding: 'utf-16le', delimiter: '\t', lineEnds: 'crlf' },
  },
  {
    name: 'UTF-16 BE with a byte order mark',
    bytes: utf16be('\ufeffa,b\nÄ,x\n'),
    holds: [...AB, ['Ä', 'x']],
    format: { encoding: 'utf-16be' },
  },
  { name: 'UTF-16 LE without a mark', bytes: utf16le('a,b\n1,x\n2,y\n'), holds: PLAIN },
  { name: 'UTF-16 BE without a mark', bytes: utf16be('a,b\n1,x\n2,y\n'), holds: PLAIN },
  {
    name: 'UTF-16 that ends within a character',
    bytes: utf16le('\ufeffa,b\n1,x\n').subarray(0, -1),
    refused: /line 2.*not utf-16le/,
  },
  {
    name: 'Latin-1 that is not said',
    bytes: bytesOf('a,b\n1,x\n2,M\u00fcller\n'),
    refused: /line 3: bytes that are not utf-8.*--encoding windows-1252/,
  },
  {
    name: 'Windows-1252 that is said, with its own characters',
    bytes: bytesOf('a,b\n\u0080,M\u00fcller\n\u0093x\u0094,\u0096\n'),
    given: { encoding: 'windows-1252' },
    holds: [...AB, ['€', 'Müller'], ['“x”', '–']],
    format: { encoding: 'windows-1252' },
  },
  {
    name: 'ISO 8859-1 by another name',
    bytes: bytesOf('a,b\n1,\u00e9\n'),
    given: { encoding: 'latin1' },
    holds: [...AB, ['1', 'é']],
  },
  {
    name: 'Shift JIS that is said',
    bytes: Buffer.concat([utf8('a,b\n1,'), Buffer.from([0x83, 0x5c, 0x8b, 0x40]), utf8('\n')]),
    given: { encoding: 'shift_jis' },
    holds: [...AB, ['1', 'ソ機']],
  },
  {
    name: 'a byte that is no UTF-8 behind many lines',
    bytes: Buffer.concat([utf8(`a,b\n${'1,x\n'.repeat(400_000)}`), Buffer.from([0x32, 0x2c, 0xff, 0x0a])]),
    refused: /line 400002: bytes that are not utf-8/,
  },
  {
    name: 'a character that is cut off at the end',
    bytes: utf8('a,b\n1,€').subarray(0, -1),
    refused: /line 2: bytes that are not utf-8/,
  },
  { name: 'an encoding that nobody knows', bytes: utf8('a,b\n'), given: { encoding: 'ebcdic' }, refused: /--encoding/ },
  { name: 'gzip', bytes: Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]), refused: /compressed by gzip.*gunzip/ },
  { name: 'a workbook', bytes: Buffer.from('PK\u0003\u0004\u0014\0', 'latin1'), refused: /workbook.*as CSV/ },
]

const lineEnds: readonly Kind[] = [
  { name: 'CRLF', bytes: utf8('a,b\r\n1,x\r\n2,y\r\n'), holds: PLAIN, format: { lineEnds: 'crlf' } },
  { name: 'CR, as old Macs write', bytes: utf8('a,b\r1,x\r2,y\r'), holds: PLAIN, format: { lineEnds: 'cr' } },
  {
    name: 'CR, and LF within quotes, as Excel for Mac writes',
    bytes: utf8('a,b\r1,"x\ny"\r2,z\r'),
    holds: [...AB, ['1', 'x\ny'], ['2', 'z']],
    format: { lineEnds: 'cr' },
  },
  { name: 'a header that ends in LF, rows in CRLF', bytes: utf8('a,b\n1,x\r\n2,y\r\n'), holds: PLAIN },
  {
    name: 'a header that ends in CRLF, rows in LF',
    bytes: utf8('a,b\r\n1,x\n2,y\n'),
    holds: PLAIN,
    format: { lineEnds: 'any' },
  },
  { name: 'no line end at the end', bytes: utf8('a,b\n1,x\n2,y'), holds: PLAIN },
  {
    name: 'empty lines',
    bytes: utf8('a,b\n1,x\n\n\n2,y\n\n'),
    holds: PLAIN,
    notes: /3 empty lines were passed over/,
  },
  {
    name: 'a lone CR within a field',
    bytes: utf8('a,b\n1,x\ry\n2,z\n'),
    refused: /line 2: a lone CR where lines end in LF/,
  },
  {
    name: 'a lone CR within a field, of a file whose line end is said',
    bytes: utf8('a,b\n1,x\ry\n'),
    given: { lineEnds: 'lf' },
    holds: [...AB, ['1', 'x\ry']],
  },
  {
    name: 'line ends of each kind within quotes',
    bytes: utf8('a,b\n1,"x\ny\r\nz\rw"\n2,y\n'),
    holds: [...AB, ['1', 'x\ny\r\nz\rw'], ['2', 'y']],
  },
]

const quotes: readonly Kind[] = [
  { name: 'every field in quotes', bytes: utf8('"a","b"\n"1","x"\n"2","y"\n'), holds: PLAIN },
  {
    name: 'doubled quotes',
    bytes: utf8('a,b\n1,"says ""hi"""\n2,""""\n'),
    holds: [...AB, ['1', 'says "hi"'], ['2', '"']],
    format: { escape: '"' },
  },
  {
    name: 'quotes behind a backslash',
    bytes: utf8('a,b\n1,"says \\"hi\\", twice"\n2,"c:\\\\x"\n'),
    holds: [...AB, ['1', 'says "hi", twice'], ['2', 'c:\\x']],
    format: { escape: '\\' },
  },
  {
    name: 'another escape among quotes behind a backslash',
    bytes: utf8('a,b\n1,"says \\"hi\\", twice"\n2,"x\\ny"\n'),
    refused: /line 3: \\n may be an escape or two characters.*--escape backslash/,
  },
  {
    name: 'backslash escapes that are said',
    bytes: utf8('a,b\n1,"x\\ny\\tz\\"w"\n2,p\\,q\\\\\n3,\\N\n'),
    given: { escape: '\\', delimiter: ',' },
    holds: [...AB, ['1', 'x\ny\tz"w'], ['2', 'p,q\\'], ['3', null]],
  },
  {
    name: 'paths that end in a backslash before a quote',
    bytes: utf8('a,b\n1,"c:\\x\\"\n2,"y"\n'),
    holds: [...AB, ['1', 'c:\\x\\'], ['2', 'y']],
  },
  {
    name: 'apostrophes around fields',
    bytes: utf8("a,b\n1,'x, y'\n2,'it''s'\n"),
    holds: [...AB, ['1', 'x, y'], ['2', "it's"]],
    format: { quote: "'" },
  },
  {
    name: 'apostrophes within text',
    bytes: utf8("a,b\n1,'t is\n2,O'Brien\n"),
    holds: [...AB, ['1', "'t is"], ['2', "O'Brien"]],
    format: { quote: '"' },
  },
  {
    name: 'a quote that is not closed',
    bytes: utf8('a,b\n1,x\n2,"y\n3,z\n4,w\n'),
    refused: /line 3: the quote that is opened here is not closed.*--quote none/,
  },
  {
    name: 'a quote that is not closed, behind fields of several lines',
    bytes: utf8('a,b,c\n1,"x\r\ny","z"\n"p\n\nq","r\ns","t\n4,5,6\n'),
    refused: /line 7: the quote that is opened here is not closed/,
  },
  {
    name: 'text behind a closing quote',
    bytes: utf8('a,b\n1,x\n2,"y" z\n'),
    refused: /line 3: the quote that is opened here ends before the field does/,
  },
  {
    name: 'inches',
    bytes: utf8('a,b\n1,x\n2,5" disk\n'),
    refused: /line 3: a quote in the middle of a field.*--quote none/,
  },
  {
    name: 'inches, where no field is quoted',
    bytes: utf8('a,b\n1,"x\n2,5" disk\n'),
    given: { quote: null },
    holds: [...AB, ['1', '"x'], ['2', '5" disk']],
  },
  {
    name: 'spaces around text',
    bytes: utf8('a,b\n1, x \n2," y "\n'),
    holds: [...AB, ['1', ' x '], ['2', ' y ']],
  },
]

const nulls: readonly Kind[] = [
  {
    name: 'empty fields, and empty quotes',
    bytes: utf8('a,b\n1,\n2,""\n,x\n'),
    holds: [...AB, ['1', null], ['2', ''], [null, 'x']],
    format: { nulls: [''] },
  },
  {
    name: '\\N, and empty fields that are text then',
    bytes: utf8('a\tb\n1\t\\N\n2\t\n'),
    holds: [...AB, ['1', null], ['2', '']],
    format: { nulls: ['\\N'] },
  },
  {
    name: 'the word NULL in several columns',
    bytes: utf8('a,b\n1,NULL\nNULL,"NULL"\n'),
    holds: [...AB, ['1', null], [null, 'NULL']],
    format: { nulls: ['NULL'] },
  },
  {
    name: 'the word NULL once, which may be a name',
    bytes: utf8('a,b\n1,x\n2,NULL\n'),
    refused: /line 3: the field NULL without quotes may be NULL or a text.*--null/,
  },
  {
    name: 'the word NULL, which is said to be a text',
    bytes: utf8('a,b\n1,\n2,NULL\n'),
    given: { nulls: [''] },
    holds: [...AB, ['1', null], ['2', 'NULL']],
  },
  {
    name: 'markers that are said',
    bytes: utf8('a,b\nNA,x\n-,"NA"\n'),
    given: { nulls: ['NA', '-'] },
    holds: [...AB, [null, 'x'], [null, 'NA']],
  },
  {
    name: 'markers in quotes',
    bytes: utf8('"a","b"\n"1",""\n"2","y"\n'),
    given: { quotedNulls: true },
    holds: [...AB, ['1', null], ['2', 'y']],
  },
  {
    name: '\\N behind the beginning that was looked at',
    bytes: utf8(`a,b\n${'1,x\n'.repeat(30_000)}2,\\N\n`),
    refused: /line 30002: the field \\N without quotes may be NULL or a text/,
  },
  {
    name: 'backslashes beside \\N, which may be escapes',
    bytes: utf8('a\tb\n1\t\\N\n2\tx\\ty\n'),
    refused: /line 3: NULL is \\N.*the backslash.*--escape backslash/,
  },
]

const shapes: readonly Kind[] = [
  { name: 'no byte', bytes: utf8(''), refused: /is empty.*first line must name the columns/ },
  { name: 'line ends and nothing else', bytes: utf8('\n\n'), refused: /is empty/ },
  { name: 'a header alone', bytes: utf8('a,b\n'), holds: AB, notes: /a header and no rows/ },
  { name: 'a row that is too short', bytes: utf8('a,b\n1,x\n2\n'), refused: /line 3: 1 field, and the header has 2/ },
  {
    name: 'a row that is too long',
    bytes: utf8('a,b\n1,x\n2,y,z\n'),
    refused: /line 3: 3 fields, and the header has 2/,
  },
  {
    name: 'delimiters behind every row',
    bytes: utf8('a,b,\n1,x,\n'),
    refused: /column 3 of the header has no name/,
  },
  { name: 'a name twice', bytes: utf8('a,b,a\n1,x,2\n'), refused: /names the column a twice/ },
  { name: 'a name twice, in capitals once', bytes: utf8('a,b,A\n1,x,2\n'), refused: /names the column A twice/ },
  { name: 'a blank name', bytes: utf8('a, ,b\n1,x,2\n'), refused: /column 2 of the header has no name/ },
  { name: 'spaces around names', bytes: utf8(' a , b\n1,x\n2,y\n'), holds: PLAIN },
  {
    name: 'names that SQL has to quote',
    bytes: utf8('select,b c,ä.ö,x\'y,p`q,"r""s"\n1,2,3,4,5,6\n'),
    holds: [
      ['select', 'b c', 'ä.ö', "x'y", 'p`q', 'r"s'],
      ['1', '2', '3', '4', '5', '6'],
    ],
  },
  { name: 'a field of two million characters', bytes: utf8(`a,b\n1,"${LONG}"\n`), holds: [...AB, ['1', LONG]] },
  {
    name: 'a hundred and twenty thousand rows',
    bytes: utf8(`a,b\n${MANY.map((row) => row.join(',')).join('\n')}\n`),
    holds: [...AB, ...MANY],
  },
  {
    name: 'a hundred and fifty columns',
    bytes: utf8(
      `${Array.from({ length: 150 }, (_, n) => `c${n}`).join()}\n${Array.from({ length: 150 }, (_, n) => n).join()}\n`,
    ),
    holds: [Array.from({ length: 150 }, (_, n) => `c${n}`), Array.from({ length: 150 }, (_, n) => `${n}`)],
  },
  {
    name: 'text that SQL, shells and spreadsheets take for something else',
    bytes: utf8(`a,b\n1,"'; drop table t; --"\n2,=1+1\n3,$(id)\n4,\\.\n`),
    holds: [...AB, ['1', "'; drop table t; --"], ['2', '=1+1'], ['3', '$(id)'], ['4', '\\.']],
  },
]

const beginnings: readonly Kind[] = [
  {
    name: 'a line above the header',
    bytes: utf8('# exported 2024\na,b\n1,x\n2,y\n'),
    refused: /from line 2 on there are 2 fields, separated by comma, and line 1 is "# exported 2024".*--skip-lines 1/,
  },
  {
    name: 'lines above the header, that are said',
    bytes: utf8('# exported 2024\r\n\r\na,b\r\n1,x\r\n2,y\r\n'),
    said: { skipLines: 2 },
    holds: PLAIN,
  },
  {
    name: 'lines above the header, and more are said',
    bytes: utf8('a,b\n'),
    said: { skipLines: 2 },
    refused: /--skip-lines/,
  },
  {
    name: 'a fault behind lines that are skipped',
    bytes: utf8('above\na,b\n1,x\n2\n'),
    said: { skipLines: 1 },
    refused: /line 4: 1 field, and the header has 2/,
  },
  {
    name: 'sep=;, as Excel writes',
    bytes: withMark('sep=;\r\na;b\r\n1;x\r\n2;y\r\n'),
    holds: PLAIN,
    format: { delimiter: ';' },
  },
  { name: 'sep=,', bytes: utf8('sep=,\na,b\n1,x\n2,y\n'), holds: PLAIN },
  {
    name: 'sep=;, and the same is said',
    bytes: utf8('sep=;\na;b\n1;x\n2;y\n'),
    given: { delimiter: ';' },
    holds: PLAIN,
  },
  {
    name: 'sep=;, and another is said',
    bytes: utf8('sep=;\na;b\n1;x\n'),
    given: { delimiter: ',' },
    refused: /line 1 says that semicolon separates.*--delimiter says comma/,
  },
  {
    name: 'a fault behind sep=;',
    bytes: utf8('sep=;\na;b\n1;x\n2\n'),
    refused: /line 4: 1 field, and the header has 2/,
  },
  {
    name: 'HTML under the name of a workbook',
    bytes: utf8('<html><body><table><tr><td>a</td></tr>\n</table></body></html>\n'),
    refused: /is HTML or XML.*save it as CSV/,
  },
  { name: 'colons that are not said', bytes: utf8('a:b:c\n1:x:2\n'), refused: /separated by :.*--delimiter ':'/ },
  {
    name: 'columns of fixed width',
    bytes: utf8('id    name    amount\n1     Ann     1.50\n2     Bob     2.50\n'),
    refused: /columns of fixed width.*write it as CSV/,
  },
  {
    name: 'words between spaces',
    bytes: utf8('id name amount\n1 Ann 1.50\n2 Bob 2.50\n'),
    refused: /separated by space.*--delimiter space/,
  },
  {
    name: 'columns of fixed width that are said to be one',
    bytes: utf8('a  b\nx  y\n'),
    given: { delimiter: '\t' },
    holds: [['a  b'], ['x  y']],
  },
  {
    name: 'no header',
    bytes: utf8('1,a,2024-01-01\n2,b,2024-01-02\n'),
    refused: /its first line has "1".*--columns '<name 1>,<name 2>,<name 3>'.*--header/,
  },
  {
    name: 'no header, and the columns are said',
    bytes: utf8('1,x\n2,\n'),
    said: { header: ['a', 'b'] },
    holds: [...AB, ['1', 'x'], ['2', null]],
  },
  {
    name: 'no header, and too few columns are said',
    bytes: utf8('1,x\n2,y\n'),
    said: { header: ['a'] },
    refused: /line 1: 2 fields, and --columns names 1/,
  },
  {
    name: 'years as names, that are said to be names',
    bytes: utf8('country,2023,2024\nFI,1,2\n'),
    said: { hasHeader: true },
    holds: [
      ['country', '2023', '2024'],
      ['FI', '1', '2'],
    ],
  },
]

export const KINDS: readonly Kind[] = [
  ...separators,
  ...encodings,
  ...lineEnds,
  ...quotes,
  ...nulls,
  ...shapes,
  ...beginnings,
]
