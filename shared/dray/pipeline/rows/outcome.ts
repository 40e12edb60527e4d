import type { ValidationError } from '#dray/active-record/validations.ts'
import type { Text } from '#dray/block/block.ts'

/** What became of one source row. */
export type Outcome =
  | { readonly kind: 'loaded'; readonly texts: readonly Text[]; readonly findings: readonly ValidationError[] }
  | { readonly kind: 'filtered' }
  /** With its key in the target. */
  | { readonly kind: 'deleted'; readonly key: readonly Text[] }
  | { readonly kind: 'quarantined'; readonly errors: readonly ValidationError[] }
