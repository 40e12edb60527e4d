/**
 * What cleaning noticed about one field: the value was unusable (and became null) or was changed in a way worth
 * knowing.
 */
export interface Finding {
  readonly field: string
  readonly code: string
  readonly message: string
}

/** A cleaned value; `finding` says what was wrong with the raw one, and never repeats it. */
export interface Cleaned {
  readonly value: string | null
  readonly finding: Finding | null
}

export const NOTHING: Cleaned = { value: null, finding: null }

/** An unusable value: null, and the reason. */
export function refused(field: string, code: string, message: string): Cleaned {
  return { value: null, finding: { field, code, message } }
}
