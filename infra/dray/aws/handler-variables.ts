import type { HandlerAccess } from './handler-access.ts'

/** The options of Node for every function. */
export const NODE_OPTIONS = '--enable-source-maps'

/** Where the metrics of an environment are. */
export function metricsNamespace({ name }: { readonly name: string }): string {
  return `Dray/${name}`
}

/** What every function knows of its environment. */
export interface ToldEnvironment {
  readonly name: string
  readonly retention: { readonly metrics: number }
}

/** The variables that tell every function which environment it is in. */
export function environmentVariables(environment: ToldEnvironment): Record<string, string> {
  return {
    DRAY_ENVIRONMENT: environment.name,
    STATE_KEEP_RUNS_DAYS: String(environment.retention.metrics),
    POWERTOOLS_SERVICE_NAME: 'dray',
    POWERTOOLS_METRICS_NAMESPACE: metricsNamespace(environment),
  }
}

/** The places that functions know. */
export interface Places {
  readonly stateTable: string
  readonly stagingUrl: string
  readonly eventBus: string
  /** The variables of a function that works with these databases. */
  readonly databases: (names: readonly string[]) => Readonly<Record<string, string>>
  /** The variables of a function that tells lineage. */
  readonly lineage: (access: HandlerAccess) => Readonly<Record<string, string>>
}

/** The variables of a state's function: where its own databases are, and no others. */
export function stepVariables(access: HandlerAccess, places: Places): Record<string, string> {
  return {
    STATE_TABLE_NAME: places.stateTable,
    STAGING_URL: places.stagingUrl,
    ...places.databases(access.databases),
    ...(access.announces ? { EVENT_BUS_NAME: places.eventBus } : {}),
    ...(access.tellsLineage ? places.lineage(access) : {}),
  }
}
