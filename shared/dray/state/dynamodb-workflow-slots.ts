import { randomUUID } from 'node:crypto'
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { RunRequest } from '#dray/messages/run-input.ts'
import { notRecorded } from './conditions.ts'
import { type Item, timeText } from './items.ts'
import { slotKey } from './keys.ts'
import { StateRequests } from './state-requests.ts'
import type { WorkflowSlot, WorkflowSlots } from './workflow-slots.ts'

/** Slots as single items of the state table, `WORKFLOW#<name>`; a lost reply is settled by a token of the write. */
export class DynamoDbWorkflowSlots implements WorkflowSlots {
  readonly #requests: StateRequests

  constructor(client: DynamoDBClient, tableName: string) {
    this.#requests = new StateRequests(DynamoDBDocumentClient.from(client), tableName)
  }

  async open(workflow: string, now: number): Promise<WorkflowSlot> {
    const found = await this.#requests.get(slotKey(workflow))
    if (found !== null) return slotOf(found)
    const free = { run: null, tookAt: null, started: false, request: null, pending: null }
    const fresh = { ...free, revision: 0, generation: 0, seen: [] }
    const outcome = await this.#requests.put(itemOf({ ...fresh, workflow, createdAt: now }, randomUUID()), {
      ConditionExpression: notRecorded,
    })
    const item = await this.#requests.get(slotKey(workflow))
    if (item !== null) return slotOf(item)
    throw outcome.kind === 'unknown' ? outcome.error : new Error(`The slot of ${workflow} was removed.`)
  }

  async write(slot: WorkflowSlot): Promise<boolean> {
    const writeId = randomUUID()
    const outcome = await this.#requests.put(itemOf({ ...slot, revision: slot.revision + 1 }, writeId), {
      ConditionExpression: 'revision = :revision',
      ExpressionAttributeValues: { ':revision': slot.revision },
    })
    if (outcome.kind === 'applied') return true
    const item = await this.#requests.get(slotKey(slot.workflow))
    if (item?.write_id === writeId) return true
    if (outcome.kind === 'unknown') throw outcome.error
    return false
  }
}

function itemOf(slot: WorkflowSlot, writeId: string): Item {
  return {
    ...slotKey(slot.workflow),
    workflow_name: slot.workflow,
    created_at: timeText(slot.createdAt),
    revision: slot.revision,
    generation: slot.generation,
    run: slot.run,
    took_at: slot.tookAt === null ? null : timeText(slot.tookAt),
    started: slot.started,
    request: slot.request === null ? null : JSON.stringify(slot.request),
    pending: slot.pending === null ? null : JSON.stringify(slot.pending),
    seen: slot.seen,
    write_id: writeId,
  }
}

function slotOf(item: Item): WorkflowSlot {
  const parsed = (value: unknown): RunRequest | null => (typeof value === 'string' ? JSON.parse(value) : null)
  return {
    workflow: String(item.workflow_name),
    createdAt: Date.parse(String(item.created_at)),
    revision: Number(item.revision),
    generation: Number(item.generation),
    run: typeof item.run === 'string' ? item.run : null,
    tookAt: typeof item.took_at === 'string' ? Date.parse(item.took_at) : null,
    started: item.started === true,
    request: parsed(item.request),
    pending: parsed(item.pending),
    seen: item.seen as string[],
  }
}
