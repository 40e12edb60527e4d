import { UNANSWERED } from 'dray/internal/active-record/schema-plan.ts'
import { NoSchemaFunction } from '#dray-infra/remote/schema.ts'
import { commandFor } from './environment.ts'
import { oneLine } from './format.ts'
import { plansText } from './schema-report.ts'
import { wantedOf, withTargets } from './schema-targets.ts'

/**
 * What `dray schema plan` says of an environment by the models of this checkout; or why nothing can be said, which
 * stops neither a comparison nor a deployment.
 */
export async function deployedSchema(env: string): Promise<string> {
  const where = { env }
  try {
    const changes = await withTargets([], where, (targets, ask) =>
      ask(targets.map((models) => wantedOf(models, UNANSWERED))),
    )
    const text = plansText(changes, (command) => commandFor(where, command))
    return `Tables of ${env}, by the models of this checkout:\n${text}`
  } catch (error) {
    if (error instanceof NoSchemaFunction)
      return `Tables of ${env}: what looks at them is not deployed yet, so they are looked at from the second deployment on.\n`
    const why = oneLine(error instanceof Error ? error.message : String(error))
    return `Tables of ${env} could not be looked at: ${why}\n`
  }
}
