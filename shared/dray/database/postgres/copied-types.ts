import type { Text } from '#dray/block/block.ts'
import type { CopiedType, CopyTypes } from '../copied-types.ts'
import type { ReadRows } from '../reading.ts'

/** As `format_type` names them without their sizes; those whose values name rows of a catalogue are not here. */
const BUILT_IN: ReadonlySet<string> = new Set([
  ...['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'money', 'boolean'],
  ...['character varying', 'character', 'bpchar', 'text', 'name', '"char"', 'bytea', 'bit', 'bit varying', 'uuid'],
  ...['date', 'time without time zone', 'time with time zone', 'interval'],
  ...['timestamp without time zone', 'timestamp with time zone'],
  ...['json', 'jsonb', 'jsonpath', 'xml', 'tsvector', 'tsquery'],
  ...['inet', 'cidr', 'macaddr', 'macaddr8'],
  ...['point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle'],
  ...['int4range', 'int8range', 'numrange', 'daterange', 'tsrange', 'tstzrange'],
  ...['int4multirange', 'int8multirange', 'nummultirange', 'datemultirange', 'tsmultirange', 'tstzmultirange'],
  ...['oid', 'xid', 'xid8', 'cid', 'tid', 'pg_lsn', 'pg_snapshot', 'txid_snapshot'],
])

/** Without its sizes, the fields of an interval, and that it is an array of it. */
function baseOf(type: string): string {
  return type
    .replace(/\[\]$/, '')
    .replace(/\(-?\d+(?:,-?\d+)?\)/, '')
    .replace(/^interval .*$/, 'interval')
}

const SIZES = /\((\d+),(-?\d+)\)/
/** The version from which on digits may all stand ahead of the point, or far behind it. */
const ANY_SCALE = 15

interface KnownType {
  /** The labels of an enumeration. */
  readonly labels: readonly string[] | null
  readonly extension: Text
}

/** What of these types the database has, its connection finds by these names, and anybody may make. */
async function knownTypes(rows: ReadRows, names: readonly string[]): Promise<ReadonlyMap<string, KnownType>> {
  if (names.length === 0) return new Map()
  const found = await rows(
    `SELECT n.name,
       CASE WHEN t.typtype = 'e' THEN (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_enum e WHERE e.enumtypid = t.oid) END,
       (SELECT x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
         WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
     FROM (VALUES ${names.map((_, place) => `($${place + 1})`).join(', ')}) AS n (name) JOIN pg_type t ON t.oid = to_regtype(n.name)
     WHERE has_type_privilege(t.oid, 'USAGE')`,
    names,
  )
  return new Map(
    found.map(([name, labels, extension]) => [
      name as string,
      { labels: labels == null ? null : (JSON.parse(labels) as string[]), extension: extension ?? null },
    ]),
  )
}

/** Enumerations and types of extensions are the same where the target has them by the same name, and all labels. */
function isSame(source: KnownType | undefined, target: KnownType): boolean {
  if (source === undefined) return false
  if (source.labels !== null) return source.labels.every((label) => target.labels?.includes(label))
  return source.extension !== null && source.extension === target.extension
}

/** A server may be made without a parser of XML. */
function takesXml(rows: ReadRows): Promise<boolean> {
  return rows("SELECT xmlparse(content '<a/>')", []).then(
    () => true,
    () => false,
  )
}

function isOddScale(type: string): boolean {
  const [, precision, scale] = SIZES.exec(type) ?? []
  return Number(scale) < 0 || Number(scale) > Number(precision)
}

async function takesAnyScale(rows: ReadRows): Promise<boolean> {
  const [[version] = []] = await rows("SELECT current_setting('server_version_num')::integer / 10000", [])
  return Number(version) >= ANY_SCALE
}

export const copiedTypes: CopyTypes = async ({ columns, from, into }) => {
  const bases = [...new Set(columns.map(({ type }) => baseOf(type)))]
  const own = await knownTypes(
    from,
    bases.filter((base) => !BUILT_IN.has(base)),
  )
  const there = await knownTypes(into, bases)
  const anyScale = columns.some(({ type }) => isOddScale(type)) && (await takesAnyScale(into))
  const hasXml = bases.includes('xml') && (await takesXml(into))
  const isTaken = (type: string): boolean => {
    const base = baseOf(type)
    const target = there.get(base)
    if (target === undefined || (base === 'xml' && !hasXml)) return false
    if (isOddScale(type) && !anyScale) return false
    return BUILT_IN.has(base) || isSame(own.get(base), target)
  }
  return new Map(
    columns.flatMap(({ name, type }): [string, CopiedType][] => (isTaken(type) ? [[name, { type, made: type }]] : [])),
  )
}
