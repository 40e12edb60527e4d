import { ConfigurationError } from '#dray/errors.ts'

/**
 * The largest rows that are carried, in bytes as the database counts them; the row of a larger value, and a larger row,
 * go to the quarantine without the values that are too large.
 */
export interface RowLimits {
  /** Of one value; 8 MiB by default. */
  readonly valueBytes: number
  /** Of all values of a row together; 16 MiB by default, or as much as a value may have. */
  readonly rowBytes: number
}

const MEBIBYTE = 1024 * 1024
const VALUE_BYTES = 8 * MEBIBYTE
const ROW_BYTES = 16 * MEBIBYTE
/** JavaScript has no string of more than 512 MiB, and bytes are written with two digits each. */
const MOST_BYTES = 128 * MEBIBYTE

/** Throws `Configuration` for limits that cannot be kept. */
export function rowLimitsOf(name: string, { valueBytes = VALUE_BYTES, rowBytes }: Partial<RowLimits> = {}): RowLimits {
  const limits = { valueBytes, rowBytes: rowBytes ?? Math.max(ROW_BYTES, valueBytes) }
  for (const [option, bytes] of Object.entries(limits)) {
    if (Number.isInteger(bytes) && bytes >= 1 && bytes <= MOST_BYTES) continue
    throw new ConfigurationError(
      `pipeline('${name}'): limits.${option} is ${bytes}; it is a number of bytes from 1 to ${MOST_BYTES}. Larger values belong into files, with their place in the table`,
    )
  }
  if (limits.valueBytes > limits.rowBytes) {
    throw new ConfigurationError(
      `pipeline('${name}'): limits.valueBytes is ${limits.valueBytes} and limits.rowBytes ${limits.rowBytes}; a row has to hold each of its values, so make rowBytes as large at least`,
    )
  }
  return limits
}
