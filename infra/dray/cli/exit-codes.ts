import { placeOf } from '#dray-infra/project/place-of-error.ts'

/** What the command says to the shell. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  leaseHeld: 3,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The exit code of a command that ran something to its end. */
export const exitCodeOfRun = {
  success: exitCodes.ok,
  failed: exitCodes.failed,
  refused: exitCodes.leaseHeld,
  interrupted: exitCodes.interrupted,
} as const

/** The exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown): ExitCode {
  switch (error instanceof Error ? error.name : '') {
    case 'Configuration':
      return exitCodes.usage
    case 'LeaseHeld':
      return exitCodes.leaseHeld
    case 'Interrupted':
    case 'AbortError':
      return exitCodes.interrupted
    default:
      return placeOf(error)?.isOfLoading ? exitCodes.usage : exitCodes.failed
  }
}
