import { type LiveTypes, TEXTS } from '../live-types.ts'

/**
 * As `format_type` names them; a domain is its base type. Types that are not here are text: arrays, enumerations, rows,
 * ranges, addresses, geometry, and what extensions bring.
 */
export const liveTypes: LiveTypes = {
  smallint: ['integer', 'bigint', 'decimal', 'boolean', ...TEXTS],
  integer: ['integer', 'bigint', 'decimal', 'boolean', ...TEXTS],
  bigint: ['bigint', 'integer', 'decimal', ...TEXTS],
  xid8: ['bigint', ...TEXTS],
  oid: ['bigint', ...TEXTS],
  numeric: ['decimal', 'bigint', 'double', ...TEXTS],
  real: ['double', ...TEXTS],
  'double precision': ['double', ...TEXTS],
  boolean: ['boolean', ...TEXTS],
  'bit(1)': ['boolean', ...TEXTS],
  date: ['date', 'timestamp', ...TEXTS],
  'timestamp without time zone': ['timestamp', ...TEXTS],
  'timestamp with time zone': ['timestamp', ...TEXTS],
  text: [...TEXTS, 'decimal', 'date', 'timestamp', 'json', 'uuid'],
  'character varying': [...TEXTS, 'decimal', 'date', 'timestamp', 'uuid'],
  character: [...TEXTS, 'uuid'],
  json: ['json', ...TEXTS],
  jsonb: ['json', ...TEXTS],
  uuid: ['uuid', ...TEXTS],
  bytea: ['binary', ...TEXTS],
}
