import emailModule from 'validator/lib/isEmail.js'
import { type Cleaned, NOTHING, refused } from './finding.ts'
import { cleanText } from './text.ts'

// The one file of validator, not its index, keeps the bundles small; it is CommonJS with a default export.
const isEmail = emailModule.default

/** RFC 5321, 4.5.3.1.3: 256 octets with the angle brackets. */
const LONGEST = 254

/** What stands in quotes before the at sign, where spaces count. */
const QUOTED = /^("(?:[^"\\\p{Cc}]|\\[^\p{Cc}])*")(@.*)$/u

const invalid = refused('email', 'invalid', 'The e-mail address is not valid; it was set to NULL.')
const tooLong = refused(
  'email',
  'too-long',
  `The e-mail address is longer than ${LONGEST} characters; it was set to NULL.`,
)

function cleanAround(value: string | null): string | null {
  const quoted = value === null || value.length > 2 * LONGEST ? null : QUOTED.exec(value.trim())
  return quoted ? `${quoted[1]}${cleanText(quoted[2] ?? null)}` : cleanText(value)
}

/**
 * An e-mail address in lower case; null with a finding where it is not one. Spaces in a quoted part are kept as they
 * are.
 */
export function cleanEmail(value: string | null): Cleaned {
  const text = cleanAround(value)
  if (text === null) return NOTHING
  if (text.length > LONGEST) return tooLong
  // Lower case can compose where upper case does not: H with a line below has no letter, h has.
  const address = text.toLowerCase().normalize('NFC')
  const isFine = isShort(address) && isEmail(address, { ignore_max_length: true })
  return isFine ? { value: address, finding: null } : invalid
}

/** The library's own count of octets takes longer than all else that it does. */
function isShort(address: string): boolean {
  if (!address.isWellFormed()) return false
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  if (Buffer.byteLength(address.slice(0, Math.max(at, 0))) > 64 || Buffer.byteLength(domain) > 254) return false
  return domain.split('.').every((label) => label.length <= 63)
}
