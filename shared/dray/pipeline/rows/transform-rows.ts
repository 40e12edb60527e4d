import type { SourceRecord } from '#dray/active-record/record.ts'
import type { ValidationError } from '#dray/active-record/validations.ts'
import type { Timestamp } from '#dray/active-record/values.ts'
import type { Text } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { Pipeline, RowContext } from '#dray/pipeline/declare/pipeline.ts'
import { type RowCode, rowCode, runOfRows } from './generated-rows.ts'
import { KeyChanged, keyCheck } from './key-check.ts'
import { isMeasured, leftOutOf, TOO_LARGE } from './large-values.ts'
import { managedAttributes } from './managed-attributes.ts'
import { misfits, noRow, THREW } from './misfit-values.ts'
import type { Outcome } from './outcome.ts'
import { ownedCheck } from './owned-rows.ts'
import { DeletesUnsaid, flagOf, toldRows } from './told-rows.ts'

const NO_FINDINGS: readonly ValidationError[] = []
const NO_FAULTS: readonly ValidationError[] = []

class RowVerdict implements RowContext {
  readonly runStartedAt: Timestamp
  errors: ValidationError[] | null = null
  findings: ValidationError[] | null = null
  isDeleted = false

  constructor(runStartedAt: Timestamp) {
    this.runStartedAt = runStartedAt
  }

  reset(): void {
    this.errors = null
    this.findings = null
    this.isDeleted = false
  }

  // Of their own: `({ reject, finding })` is taken apart by whoever likes it.
  readonly reject = (field: string, code: string, message: string = code): null => {
    this.errors ??= []
    this.errors.push({ field, code, message })
    return null
  }

  readonly delete = (): null => {
    this.isDeleted = true
    return null
  }

  readonly finding = (field: string, code: string, message: string = code): void => {
    this.findings ??= []
    this.findings.push({ field, code, message })
  }
}

function asError(error: unknown): ValidationError {
  if (error instanceof DataQualityError) return { field: error.field, code: error.code, message: error.message }
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) }
  return { field: '', code: THREW, message: `the transform threw ${name}: ${message}` }
}

/** Codes of rows whose source holds something else than the column is to hold, or than can be held. */
const NOT_TEXT = 'invalid_utf8'
const NOT_BYTES = 'not_binary'
export const HELD_OTHERWISE: ReadonlySet<string> = new Set([NOT_TEXT, NOT_BYTES, TOO_LARGE])

/** Extract has added to the row what is wrong with its values. */
function faultsOf(row: readonly Text[], { extract: { source }, limits }: Pipeline): ValidationError[] {
  const { columns } = source.definition
  if (!isMeasured(row, columns)) return damagedIn(row, source)
  const isDamaged = row.length > 2 * columns.length + 1
  return [...leftOutOf(row, columns, limits), ...(isDamaged ? damagedIn(row, source) : [])]
}

/** The last field has the names of those columns. */
function damagedIn(row: readonly Text[], source: Pipeline['extract']['source']): ValidationError[] {
  return (row.at(-1) ?? '').split(',').map((name) => {
    const column = source.definition.columns.find((one) => one.column === name)
    const isBinary = column?.field.settings.kind === 'binary'
    const what = isBinary ? 'text in a column of bytes' : 'bytes that are no valid UTF-8, or a BLOB in another column'
    return {
      field: column?.name ?? name,
      code: isBinary ? NOT_BYTES : NOT_TEXT,
      message: `the source holds ${what}; the row is kept with its bytes in hexadecimal`,
    }
  })
}

/**
 * Makes the function that transforms one row of texts: cast by the source's model, transformed by the pipeline, held
 * against the target's rules. A row that cannot be transformed is quarantined, whatever the reason; it throws only
 * where deletes rely on a key that the transform has changed.
 */
export function rowTransformer(
  pipeline: Pipeline,
  runStartedAt: Timestamp,
  { checksKeys = true }: { readonly checksKeys?: boolean } = {},
): (row: readonly Text[]) => Outcome {
  const { source } = pipeline.extract
  const { target } = pipeline.load
  const verdict = new RowVerdict(runStartedAt)
  const run = runOfRows(target, runStartedAt)
  const plain: RowCode = {
    read: (row) => source.instantiate(row) as SourceRecord,
    encode: (_record, attributes) => run.slow(attributes),
  }
  const generated = rowCode(source, target)
  const width = source.definition.columns.length
  const managed = managedAttributes(pipeline, runStartedAt)
  const checkKey = checksKeys ? keyCheck(pipeline) : null
  const isFlagged = flagOf(pipeline)
  const deletedRow = toldRows(pipeline)
  const checkOwned = ownedCheck(pipeline)
  // A row that says that it is deleted may be too large, or damaged, but where it says it, and of which row.
  const saying: ReadonlySet<string | null> = new Set([pipeline.deletes.flag, ...pipeline.deletes.key])
  return (row) => {
    verdict.reset()
    let returned: unknown = null
    const faults = row.length > width ? faultsOf(row, pipeline) : NO_FAULTS
    if (faults.some(({ field }) => isFlagged === null || saying.has(field)))
      return { kind: 'quarantined', errors: faults }
    try {
      const code = row.length === width ? generated : plain
      if (isFlagged?.(row)) return deletedRow(row)
      if (faults.length > 0) return { kind: 'quarantined', errors: faults }
      const record = code.read(row)
      const attributes = pipeline.transform(record as never, verdict)
      returned = attributes
      if (verdict.errors !== null) return { kind: 'quarantined', errors: verdict.errors }
      if (verdict.isDeleted) return deletedRow(row)
      if (attributes === null) return { kind: 'filtered' }
      if (typeof attributes !== 'object') return { kind: 'quarantined', errors: wholeOf(attributes) ?? [] }
      const encoded = code.encode(record, managed === null ? attributes : { ...attributes, ...managed }, run)
      if ('errors' in encoded) return { kind: 'quarantined', errors: wholeOf(returned) ?? encoded.errors }
      const other = checkOwned?.(encoded.texts) ?? null
      if (other !== null) return { kind: 'quarantined', errors: [other] }
      checkKey?.(row, encoded.texts)
      return { kind: 'loaded', texts: encoded.texts, findings: verdict.findings ?? NO_FINDINGS }
    } catch (error) {
      if (error instanceof KeyChanged || error instanceof DeletesUnsaid) throw error
      return { kind: 'quarantined', errors: [...(verdict.errors ?? []), ...thrownOf(error, returned)] }
    }
  }

  function wholeOf(returned: unknown): readonly ValidationError[] | null {
    const fault = noRow(returned)
    return fault === null ? null : [fault]
  }

  /** A value of another type breaks a rule in a way that says nothing of it. */
  function thrownOf(error: unknown, returned: unknown): readonly ValidationError[] {
    if (error instanceof DataQualityError || returned === null) return [asError(error)]
    const found = wholeOf(returned) ?? misfits(returned as object, target.definition)
    return found.length === 0 ? [asError(error)] : found
  }
}
