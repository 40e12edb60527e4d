import mysql, { type AuthPlugin, type ConnectionOptions } from 'mysql2'
import { ConfigurationError } from '#dray/errors.ts'
import type { Place } from './url.ts'

/** What `caching_sha2_password` sends to ask for a key that it would encrypt the password with. */
const ASKS_FOR_KEY = Buffer.from([2])

/**
 * How to sign in without TLS: by what proves to know the password, never by the password. Whoever has taken the port of
 * a server that is down would be asked for a public key, and could read what is encrypted with it.
 */
export function overPlainText(place: Place): NonNullable<ConnectionOptions['authPlugins']> {
  const { caching_sha2_password: cachingSha2 } = mysql.authPlugins
  const never: AuthPlugin = () => async () => {
    throw refusal(place)
  }
  return {
    caching_sha2_password: (metadata) => {
      const answer = cachingSha2({ overrideIsSecure: false })(metadata)
      // The driver catches what is rejected, not what is thrown.
      return async (data) => {
        const reply = (await answer(data)) as Buffer
        if (reply && ASKS_FOR_KEY.equals(reply)) throw refusal(place)
        return reply
      }
    },
    sha256_password: never,
    mysql_clear_password: never,
  }
}

function refusal({ name, address }: Place): ConfigurationError {
  return new ConfigurationError(
    `${name}: whoever answers at ${address} asks for the password without TLS, so it was not sent. MySQL does so for a password that is wrong, or that it has not seen since it was started. Correct the password, or make sure that it is your server and add ?sslmode=verify-ca&ssl-ca=<file> to the URL; MySQL makes that file, ca.pem, in its data folder.`,
  )
}
