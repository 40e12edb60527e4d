/** What a field of a model holds. */
export type FieldKind =
  | 'bigint'
  | 'integer'
  | 'text'
  | 'varchar'
  | 'decimal'
  | 'double'
  | 'boolean'
  | 'date'
  | 'timestamp'
  | 'json'
  | 'uuid'
  | 'binary'
