import pg from 'pg'
import { ConfigurationError } from '#dray/errors.ts'
import type { Endpoint, Place } from './url.ts'

/** What `pg` has, but its types do not name. */
interface Refusing {
  readonly connection: { emit(event: 'error', error: Error): void }
}

/**
 * A client of `pg` that gives its password away over TLS only. Without it, SCRAM alone proves to know the password
 * without showing it: whoever has taken the port of a server that is down could ask for the password itself, or for its
 * MD5, which can be tried on the server.
 */
export class Client extends pg.Client {
  constructor({ config, place }: Endpoint) {
    super(config)
    if (config.ssl !== false) return
    const refuse = (asked: string) => () => {
      ;(this as unknown as Refusing).connection.emit('error', refusal(place, asked))
    }
    // `pg` looks them up when it connects.
    Object.assign(this, {
      _handleAuthCleartextPassword: refuse('the password itself'),
      _handleAuthMD5Password: refuse('its MD5'),
    })
  }
}

function refusal({ name, address, variable }: Place, asked: string): ConfigurationError {
  return new ConfigurationError(
    `Whoever answers at ${address} asks for ${asked} without TLS, so it was not sent, and database ${name} is not connected to; make sure that it is your server, then let it ask by SCRAM (set password_encryption to scram-sha-256 and set the user's password again), or turn TLS on at the server and add ?sslmode=verify-full to ${variable}`,
  )
}
