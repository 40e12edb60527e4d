import { ConfigurationError } from '#dray/errors.ts'

/** SQLSTATEs of PostgreSQL and numbers of MySQL: another password may be right. */
const REFUSALS: ReadonlySet<unknown> = new Set(['28P01', '28000', 1045, 1698])

/** Whether a server has answered and refused the user or the password. */
export function isLoginRefused(error: unknown): boolean {
  if (!(error instanceof ConfigurationError)) return false
  const { code, errno } = (error.cause ?? {}) as { readonly code?: unknown; readonly errno?: unknown }
  return REFUSALS.has(code) || REFUSALS.has(errno)
}
