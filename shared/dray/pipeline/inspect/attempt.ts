import { withDeadline } from '#dray/database/deadline.ts'
import { type Checked, found } from '#dray/database/health.ts'
import { TransientError } from '#dray/errors.ts'

export const CHECK_MILLISECONDS = 5_000

export const NOT_IN_TIME = /not found out within/

/**
 * Does a check that looks at a database, in its own time. What it throws is broken; what is not found out in time,
 * or may pass, is not known.
 */
export async function attempt(
  check: string,
  where: string,
  work: () => Promise<readonly Checked[]>,
): Promise<readonly Checked[]> {
  const deadline = AbortSignal.timeout(CHECK_MILLISECONDS)
  try {
    return await withDeadline(deadline, work)
  } catch (error) {
    if (deadline.aborted && error instanceof TransientError) {
      const seconds = CHECK_MILLISECONDS / 1000
      return [found(check, 'unknown', `${where}: not found out within ${seconds} s, so a run may wait there, too`)]
    }
    return [found(check, error instanceof TransientError ? 'unknown' : 'broken', (error as Error).message)]
  }
}
