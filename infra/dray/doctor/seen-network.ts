import type { Reach } from '#dray-infra/aws/handler-access.ts'
import type { Environment, NetworkSettings } from '#dray-infra/project/environment.ts'
import type { NetworkFacts } from '#dray-infra/remote/network-facts.ts'

/** A network as an environment names it, and as it was found. */
export interface SeenNetwork {
  readonly environment: Environment
  readonly vpc: NetworkSettings
  readonly facts: NetworkFacts
  readonly stack: NetworkStack
  /** Of the functions; null where nothing says which. */
  readonly groups: Readonly<Record<Reach, string | null>>
  /** Where databases listen, by their names. */
  readonly ports: ReadonlyMap<string, number>
  readonly needsSecrets: boolean
}

/**
 * Whether an environment's stack is deployed: with its functions in a network, outside of any, or not at all.
 * `unknown`: it could not be read.
 */
export type NetworkStack = 'inside' | 'outside' | 'absent' | 'unknown'

/** Whether the next deployment is the one that puts functions into the network, and makes the endpoints. */
export function isToBeMade(stack: NetworkStack): boolean {
  return stack === 'absent' || stack === 'outside'
}
