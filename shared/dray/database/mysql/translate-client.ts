import { ConfigurationError, TerminalError, TransientError } from '#dray/errors.ts'
import type { Place } from './url.ts'

/** What mysql2 throws: an error number of the server, or a code of Node or of the driver without one. */
export interface DriverError extends Error {
  readonly errno?: number
  readonly code?: string
  readonly sqlState?: string
  readonly fatal?: boolean
}

/** Codes of Node where no server answers. */
export const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'EACCES',
])

const OTHER_NAME = /does not match certificate/i

/** The connection ended before TLS was agreed on: the server has gone away, and its certificate is not the reason. */
const LEFT_THE_HANDSHAKE = /\b(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)\b|socket disconnected before secure TLS/

/** An error without a number: of Node, of TLS or of the driver. */
export function translateClient(cause: DriverError, said: string, { name, address }: Place): Error {
  const code = cause?.code ?? ''
  const options = { cause }
  if (UNREACHABLE.has(code)) {
    const remedy =
      code === 'ENOTFOUND' || code === 'EAI_AGAIN'
        ? 'Correct the host in the URL.'
        : 'Start the server, or correct host and port in the URL.'
    return new ConfigurationError(`${name}: cannot connect to ${address} (${code}). ${remedy}`, options)
  }
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    const remedy = 'Turn TLS on at the server, or add ?sslmode=disable to the URL where the network is trusted.'
    return new ConfigurationError(
      `${name}: ${address} does not offer TLS, so the password was not sent. ${remedy}`,
      options,
    )
  }
  // The driver writes over the code of what was wrong.
  if (code === 'HANDSHAKE_SSL_ERROR' && LEFT_THE_HANDSHAKE.test(cause.message)) return new TransientError(said, options)
  if (/CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS|HANDSHAKE_SSL_ERROR/.test(code)) {
    const remedy = OTHER_NAME.test(cause.message)
      ? 'Write the name that the certificate is for as the host, or add ?sslmode=verify-ca to the URL, which does not look at it.'
      : 'Add ?ssl-ca=<file> with the authority that signed it to the URL.'
    return new ConfigurationError(
      `${name}: the certificate of ${address} cannot be verified (${cause.message}). ${remedy}`,
      options,
    )
  }
  if (cause?.fatal === true || /^(PROTOCOL_|ECONN|EPIPE|ETIMEDOUT|ERR_STREAM)/.test(code))
    return new TransientError(said, options)
  if (code.startsWith('AUTH_'))
    return new ConfigurationError(`${said}. Use an account whose plugin this client has.`, options)
  return new TerminalError(said, options)
}
