import { Attributes } from './attributes.ts'
import type { ItemTable } from './item-table.ts'
import { LINEAGE, lineageKey, runKey } from './keys.ts'
import { StateRequests } from './state-requests.ts'
import { stateTable } from './table-definition.ts'

/**
 * Events of a run that could not be sent yet, beside its metrics: `RUN#<id>` / `LINEAGE#<id of the event>`. They expire
 * with them.
 */
export class KeptEvents {
  readonly #requests: StateRequests
  readonly #expiry: () => number

  /** `expiry` gives the end of an item that is written now, in seconds since 1970. */
  constructor(table: ItemTable, expiry: () => number) {
    this.#requests = new StateRequests(table)
    this.#expiry = expiry
  }

  /** Kept twice, it is there once. Ids sort as the events are to be sent. */
  async keep(run: string, id: string, event: string): Promise<void> {
    const outcome = await this.#requests.put(
      { ...lineageKey(run, id), event, [stateTable.timeToLive]: this.#expiry() },
      {},
    )
    if (outcome.kind === 'unknown') throw outcome.error
  }

  async of(run: string): Promise<string[]> {
    const events: string[] = []
    const items = this.#requests.query({
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': runKey(run).pk, ':prefix': LINEAGE },
      ConsistentRead: true,
    })
    for await (const item of items) events.push(new Attributes(item).needed('event'))
    return events
  }
}
