import { randomUUID } from 'node:crypto'
import { cutName, LeaseHeld, LeaseLost, TransientError } from '#dray/errors.ts'
import type { Item } from './attributes.ts'
import {
  isPending,
  leaseCanBeTaken,
  leaseNotHeld,
  leaseOfEpoch,
  leaseOwned,
  leaseUnchanged,
  notSetByThisCall,
  versionUnchanged,
} from './conditions.ts'
import type { WriteOutcome } from './item-table.ts'
import { pipelineState, timeText } from './items.ts'
import { pipelineKey } from './keys.ts'
import type { StateRequests } from './state-requests.ts'
import type { KnownSource, Lease, PipelineState } from './state-store.ts'
import { stateTable } from './table-definition.ts'

/** How often the lease may change hands between our write and our read before a retry is left to the caller. */
const ROUNDS = 8
/** The time stays that of the first run: what an index is sorted by, and so its entry, never moves. */
const SET_IDENTITY = 'pipeline = :pipeline, kind = :kind, start_time = if_not_exists(start_time, :start_time)'

function leaseOf(item: Item, owner: string): Lease {
  const { pipeline, epoch, version, lastRun, commitEpoch, source } = pipelineState(item)
  return { pipeline, owner, epoch, version, lastRun, commitEpoch, source }
}

/** What sets `last_run` and its source; nothing for a `last_run` of null. */
function movedTo(lastRun: string | null, source: KnownSource | null): { readonly set: string; readonly values: Item } {
  if (lastRun === null) return { set: '', values: {} }
  if (source === null) return { set: 'last_run = :last_run, ', values: { ':last_run': lastRun } }
  return {
    set: 'last_run = :last_run, source_identity = :source, source_last_run = :last_run, ',
    values: { ':last_run': lastRun, ':source': JSON.stringify(source) },
  }
}

function identity(pipeline: string, now: number): Item {
  return { ':pipeline': pipeline, ':kind': 'pipeline', ':start_time': timeText(now) }
}

/** `PIPELINE#<name>` items: `last_run`, its lease, and the wish for a follow-up run. */
export class PipelineLeases {
  readonly #requests: StateRequests

  constructor(requests: StateRequests) {
    this.#requests = requests
  }

  async acquire(pipeline: string, owner: string, now: number, expiresAt: number): Promise<Lease> {
    for (let round = 0; round < ROUNDS; round++) {
      const outcome = await this.#take(pipeline, owner, now, expiresAt)
      if (outcome.kind === 'applied') return leaseOf(outcome.item, owner)
      const item = await this.#requests.get(pipelineKey(pipeline))
      // Ours: by this call whose reply was lost, or by an earlier delivery of the same task.
      if (item?.lease_owner === owner) return this.#extend(item, owner, expiresAt)
      if (outcome.kind === 'unknown') throw outcome.error
      if (item?.commit_owner === owner) throw new LeaseLost(pipeline, owner, 'it has committed it already')
      if (item !== null && (await this.#noteFollowUp(item, now))) {
        const { leaseOwner, leaseExpiresAt } = pipelineState(item)
        const consequence = 'this run did not start it and asked for a follow-up run.'
        throw new LeaseHeld(pipeline, leaseOwner ?? '', leaseExpiresAt ?? 0, consequence)
      }
    }
    throw new TransientError(`The lease of pipeline ${pipeline} changed hands ${ROUNDS} times while it was asked for.`)
  }

  async commit(
    lease: Pick<Lease, 'pipeline' | 'owner' | 'epoch' | 'version'>,
    lastRun: string | null,
    source: KnownSource | null = null,
    follows = false,
    countedRows: number | null = null,
  ): Promise<void> {
    const moved = movedTo(lastRun, source)
    const pending = follows ? 'pending = :true, ' : ''
    const counted = countedRows === null ? '' : 'counted_rows = :counted_rows, '
    const outcome = await this.#requests.update(pipelineKey(lease.pipeline), {
      UpdateExpression:
        `SET ${moved.set}${pending}${counted}version = version + :one, commit_owner = :owner, commit_epoch = :epoch ` +
        'REMOVE lease_owner, lease_expires_at',
      ConditionExpression: `${leaseOfEpoch} AND ${versionUnchanged}`,
      ExpressionAttributeValues: {
        ...moved.values,
        ':owner': lease.owner,
        ':epoch': lease.epoch,
        ':version': lease.version,
        ':one': 1,
        ...(follows ? { ':true': true } : {}),
        ...(countedRows === null ? {} : { ':counted_rows': countedRows }),
      },
    })
    if (outcome.kind === 'applied') return
    const item = await this.#requests.get(pipelineKey(lease.pipeline))
    if (item?.commit_owner === lease.owner && item.commit_epoch === lease.epoch) return
    if (outcome.kind === 'unknown') throw outcome.error
    throw lostTo(lease, item && pipelineState(item))
  }

  async raiseEpoch(lease: Lease, above: number): Promise<Lease> {
    const outcome = await this.#requests.update(pipelineKey(lease.pipeline), {
      UpdateExpression: 'SET epoch = :above + :one',
      ConditionExpression: leaseOfEpoch,
      ExpressionAttributeValues: { ':owner': lease.owner, ':epoch': lease.epoch, ':above': above, ':one': 1 },
    })
    if (outcome.kind === 'applied') return leaseOf(outcome.item, lease.owner)
    const item = await this.#requests.get(pipelineKey(lease.pipeline))
    if (item?.lease_owner === lease.owner && pipelineState(item).epoch > above) return leaseOf(item, lease.owner)
    if (outcome.kind === 'unknown') throw outcome.error
    throw lostTo(lease, item && pipelineState(item))
  }

  async release(pipeline: string, owner: string): Promise<boolean> {
    const id = randomUUID()
    const outcome = await this.#requests.update(pipelineKey(pipeline), {
      UpdateExpression: 'SET release_id = :id REMOVE lease_owner, lease_expires_at',
      ConditionExpression: leaseOwned,
      ExpressionAttributeValues: { ':owner': owner, ':id': id },
    })
    return this.#wasMine(outcome, pipeline, 'release_id', id)
  }

  async takePending(pipeline: string): Promise<boolean> {
    const id = randomUUID()
    const outcome = await this.#requests.update(pipelineKey(pipeline), {
      UpdateExpression: 'SET pending_id = :id REMOVE pending',
      ConditionExpression: isPending,
      ExpressionAttributeValues: { ':true': true, ':id': id },
    })
    return this.#wasMine(outcome, pipeline, 'pending_id', id)
  }

  async setLastRun(
    pipeline: string,
    lastRun: string | null,
    now: number,
    source: KnownSource | null = null,
  ): Promise<void> {
    const id = randomUUID()
    const moved = movedTo(lastRun, source)
    const remove = lastRun === null ? 'last_run, ' : ''
    const forget = source === null ? 'source_identity, source_last_run, ' : ''
    const outcome = await this.#requests.update(pipelineKey(pipeline), {
      // The version moves on and an expired lease goes, so that its owner cannot commit over what was set.
      UpdateExpression:
        `SET ${moved.set}${SET_IDENTITY}, set_id = :id, version = if_not_exists(version, :zero) + :one ` +
        `REMOVE ${remove}${forget}lease_owner, lease_expires_at`,
      ConditionExpression: `${leaseNotHeld} AND ${notSetByThisCall}`,
      ExpressionAttributeValues: {
        ...moved.values,
        ...identity(pipeline, now),
        ':id': id,
        ':now': now,
        ':zero': 0,
        ':one': 1,
      },
    })
    if (await this.#wasMine(outcome, pipeline, 'set_id', id)) return
    const state = await this.state(pipeline)
    if (state === null || state.leaseOwner === null) throw unsettled(outcome)
    throw new LeaseHeld(pipeline, state.leaseOwner, state.leaseExpiresAt ?? 0, 'its last_run was left as it is.')
  }

  async state(pipeline: string): Promise<PipelineState | null> {
    const item = await this.#requests.get(pipelineKey(pipeline))
    return item && pipelineState(item)
  }

  async list(): Promise<PipelineState[]> {
    const states: PipelineState[] = []
    const pipelines = this.#requests.query({
      IndexName: stateTable.byKind.name,
      KeyConditionExpression: 'kind = :kind',
      ExpressionAttributeValues: { ':kind': 'pipeline' },
    })
    for await (const item of pipelines) states.push(pipelineState(item))
    return states.sort((a, b) => (a.pipeline < b.pipeline ? -1 : 1))
  }

  #take(pipeline: string, owner: string, now: number, expiresAt: number): Promise<WriteOutcome> {
    return this.#requests.update(pipelineKey(pipeline), {
      UpdateExpression:
        `SET ${SET_IDENTITY}, lease_owner = :owner, lease_expires_at = :expires_at, ` +
        'epoch = if_not_exists(epoch, :zero) + :one, version = if_not_exists(version, :zero)',
      ConditionExpression: leaseCanBeTaken,
      ExpressionAttributeValues: {
        ...identity(pipeline, now),
        ':owner': owner,
        ':now': now,
        ':expires_at': expiresAt,
        ':zero': 0,
        ':one': 1,
      },
    })
  }

  /** A lease that is taken again keeps its epoch and never ends earlier. */
  async #extend(item: Item, owner: string, expiresAt: number): Promise<Lease> {
    const lease = leaseOf(item, owner)
    if ((pipelineState(item).leaseExpiresAt ?? 0) < expiresAt) await this.#renew(lease, expiresAt)
    return lease
  }

  async #renew(lease: Lease, expiresAt: number): Promise<void> {
    const outcome = await this.#requests.update(pipelineKey(lease.pipeline), {
      UpdateExpression: 'SET lease_expires_at = :expires_at',
      ConditionExpression: leaseOfEpoch,
      ExpressionAttributeValues: { ':owner': lease.owner, ':epoch': lease.epoch, ':expires_at': expiresAt },
    })
    if (outcome.kind === 'applied') return
    const state = await this.state(lease.pipeline)
    const held = state?.leaseOwner === lease.owner && state.epoch === lease.epoch
    if (!held) throw lostTo(lease, state)
    if (state.leaseExpiresAt !== expiresAt) throw unsettled(outcome)
  }

  /** Sets `pending` if the lease is held, by the same owner still; says whether it did. */
  async #noteFollowUp(item: Item, now: number): Promise<boolean> {
    const { pipeline, leaseOwner, leaseExpiresAt, epoch } = pipelineState(item)
    if (leaseOwner === null || (leaseExpiresAt ?? 0) <= now) return false
    const outcome = await this.#requests.update(pipelineKey(pipeline), {
      UpdateExpression: 'SET pending = :true',
      ConditionExpression: leaseUnchanged,
      ExpressionAttributeValues: { ':true': true, ':holder': leaseOwner, ':epoch': epoch },
    })
    if (outcome.kind !== 'unknown') return outcome.kind === 'applied'
    if ((await this.state(pipeline))?.pending) return true
    throw outcome.error
  }

  /** Looks for the token of this very call, in case the reply to its first try was lost. */
  async #wasMine(outcome: WriteOutcome, pipeline: string, attribute: string, id: string): Promise<boolean> {
    if (outcome.kind === 'applied') return true
    const item = await this.#requests.get(pipelineKey(pipeline))
    if (item?.[attribute] === id) return true
    if (outcome.kind === 'unknown') throw outcome.error
    return false
  }
}

function lostTo(lease: Pick<Lease, 'pipeline' | 'owner' | 'epoch'>, state: PipelineState | null): LeaseLost {
  const { pipeline, owner, epoch } = lease
  const reason =
    state === null || state.leaseOwner === null
      ? 'the lease was given back or ended by hand'
      : state.leaseOwner === owner && state.epoch === epoch
        ? 'last_run was changed under it'
        : `${cutName(state.leaseOwner)} took it over with epoch ${state.epoch}`
  return new LeaseLost(pipeline, owner, reason)
}

function unsettled(outcome: WriteOutcome): Error {
  if (outcome.kind === 'unknown') return outcome.error
  return new TransientError('The state changed between a write and the reading of it. A retry settles it.')
}
