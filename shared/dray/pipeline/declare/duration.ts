import { ConfigurationError } from '#dray/errors.ts'

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** A length of time as users write it: `30s`, `5m`, `2h`, `1d`. */
export type Duration = `${number}${keyof typeof SECONDS}`

/** In seconds. Throws `Configuration` on anything else. */
export function secondsOf(duration: Duration): number {
  const parts = /^(\d{1,6})([smhd])$/.exec(duration)
  if (parts === null) throw new ConfigurationError(`"${duration}" is not a length of time; write 30s, 5m, 2h or 1d`)
  return Number(parts[1]) * SECONDS[parts[2] as keyof typeof SECONDS]
}
