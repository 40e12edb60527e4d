import { randomUUID } from 'node:crypto'
import { checked } from '#dray/messages/message.ts'
import { type RunRequest, runRequest } from '#dray/messages/run-input.ts'
import { Attributes, type Item } from './attributes.ts'
import { notRecorded } from './conditions.ts'
import type { ItemTable } from './item-table.ts'
import { timeText } from './items.ts'
import { slotKey } from './keys.ts'
import { StateRequests } from './state-requests.ts'
import type { WorkflowSlot, WorkflowSlots } from './workflow-slots.ts'

/** Slots as single items of the state table, `WORKFLOW#<name>`; a lost reply is settled by a token of the write. */
export class TableWorkflowSlots implements WorkflowSlots {
  readonly #requests: StateRequests

  constructor(table: ItemTable) {
    this.#requests = new StateRequests(table)
  }

  async open(workflow: string, now: number): Promise<WorkflowSlot> {
    const found = await this.#requests.get(slotKey(workflow))
    if (found !== null) return slotOf(found)
    const free = { run: null, tookAt: null, started: false, startedAt: null, request: null, pending: null }
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
    started_at: slot.startedAt === null ? null : timeText(slot.startedAt),
    request: slot.request === null ? null : JSON.stringify(slot.request),
    pending: slot.pending === null ? null : JSON.stringify(slot.pending),
    seen: slot.seen,
    write_id: writeId,
  }
}

function slotOf(item: Item): WorkflowSlot {
  const held = new Attributes(item)
  const request = (name: string) => held.json(name, 'what a run was asked for', isRequest)
  return {
    workflow: held.needed('workflow_name'),
    createdAt: held.time('created_at') ?? 0,
    revision: held.count('revision'),
    generation: held.count('generation'),
    run: held.text('run'),
    tookAt: held.time('took_at'),
    started: held.isTrue('started'),
    startedAt: held.time('started_at'),
    request: request('request'),
    pending: request('pending'),
    seen: held.texts('seen') ?? [],
  }
}

function isRequest(value: unknown): value is RunRequest {
  return 'data' in checked(runRequest, value)
}
