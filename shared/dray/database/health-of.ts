import { ConfigurationError } from '#dray/errors.ts'
import { URL_FORMS } from './database-url.ts'
import type { Health } from './health.ts'

/** The role of the engine that a URL names. Throws `Configuration` when it names none. */
export async function healthOf(url: string): Promise<Health> {
  const scheme = /^([a-z]+):/.exec(url)?.[1] ?? ''
  if (/^postgres(ql)?$/.test(scheme)) return (await import('./postgres/health.ts')).health
  if (/^(mysql|mariadb)$/.test(scheme)) return (await import('./mysql/health.ts')).health
  if (scheme === 'sqlite') return (await import('./sqlite/health.ts')).health
  throw new ConfigurationError(`the URL names no engine that Dray knows; set it to ${URL_FORMS}`)
}
