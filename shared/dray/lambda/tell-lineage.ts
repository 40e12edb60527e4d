import type { Services } from '#dray/pipeline/services.ts'
import type { Lineage } from './lineage.ts'

let lineage: Promise<Lineage | null> | null = null

/**
 * Tells where `OPENLINEAGE_URL` says, if it says so. A sink that fails never fails the run: at most it says so in the
 * log.
 */
export async function tellLineage(
  services: Pick<Services, 'log'>,
  tell: (lineage: Lineage) => Promise<void>,
): Promise<void> {
  if (!process.env.OPENLINEAGE_URL) return
  try {
    lineage ??= import('./lineage.ts').then(({ openLineage }) => openLineage())
    const opened = await lineage
    if (opened !== null) await tell(opened)
  } catch (error) {
    lineage = null
    services.log.warn('lineage not told', { error_message: (error as Error).message })
  }
}
