import { ConfigurationError } from 'dray/internal/errors.ts'
import { checked } from 'dray/internal/messages/message.ts'
import type { RunRequest } from 'dray/internal/messages/run-input.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import type { WorkflowSlots } from 'dray/internal/state/workflow-slots.ts'
import { type EndServices, endRun, startFollowUp } from 'dray/internal/triggers/end-run.ts'
import { refuseCircle, requestOf } from 'dray/internal/triggers/events.ts'
import { knownCauses } from 'dray/internal/triggers/known-causes.ts'
import { type RequestOutcome, requestRun, type TriggeredWorkflow } from 'dray/internal/triggers/request-run.ts'
import * as z from 'zod'
import { localRunner } from '#dray-infra/runs/run-lock.ts'
import type { Commands } from './commands.ts'
import type { CatalogueDocument, WorkflowDocument } from './documents.ts'
import type { PageSource } from './page-source.ts'

const detail = z.union([z.string(), z.record(z.string(), z.unknown())])

/** An event as one sends it to the bus, or as the bus delivers it. */
const busEvent = z.union([
  z.object({ Source: z.string(), DetailType: z.string(), Detail: detail }),
  z.object({ source: z.string(), 'detail-type': z.string(), detail }),
])

export interface ReceivedEvent {
  /** What it has come to, by workflow. */
  readonly workflows: readonly ({ readonly workflow: string } & RequestOutcome)[]
}

/** The bus of this machine: what events start is decided as on AWS, over the local state. */
export class LocalBus {
  readonly #commands: Commands
  readonly #state: StateStore
  readonly #slots: WorkflowSlots
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor({ stores: { state } }: PageSource, slots: WorkflowSlots, commands: Commands) {
    this.#commands = commands
    this.#state = state
    this.#slots = slots
  }

  /** Throws `Configuration` for what is no event, and `Terminal` for one that is not of the contract. */
  async receive(body: unknown, catalogue: CatalogueDocument): Promise<ReceivedEvent> {
    const found = checked(busEvent, body)
    if ('fault' in found) {
      throw new ConfigurationError(
        `This is no event of a bus, so nothing was started: ${found.fault}; see docs/events.md`,
      )
    }
    const event = found.data
    const [source, type, its] =
      'Source' in event
        ? [event.Source, event.DetailType, event.Detail]
        : [event.source, event['detail-type'], event.detail]
    const wanted = catalogue.workflows.filter(({ events }) =>
      events.some((one) => one.source === source && one.detailType === type),
    )
    if (wanted.length === 0) {
      throw new ConfigurationError(
        `No workflow starts on ${type} from ${source}, so nothing was started; a workflow says it by on: event('${source}', '${type}')`,
      )
    }
    const message = JSON.stringify({ 'detail-type': type, detail: typeof its === 'string' ? JSON.parse(its) : its })
    const request = requestOf(message)
    const isKnown = await knownCauses(request.causation, this.#state)
    const trusted = { ...request, causation: request.causation.filter(isKnown) }
    for (const { name } of wanted) refuseCircle(trusted, name)
    const outcomes: ({ readonly workflow: string } & RequestOutcome)[] = []
    for (const workflow of wanted)
      outcomes.push({ workflow: workflow.name, ...(await this.#request(workflow, trusted)) })
    return { workflows: outcomes }
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }

  async #request(workflow: WorkflowDocument, request: RunRequest): Promise<RequestOutcome> {
    const triggered = triggeredBy(workflow)
    const services = this.#servicesOf(triggered)
    const slot = await this.#slots.open(workflow.name, Date.now())
    // A run of an earlier start of this command, which has ended with it.
    if (slot.run !== null && !this.#commands.isAtWork(slot.run)) await startFollowUp(triggered, slot.run, services)
    const outcome = await requestRun(triggered, [request], services)
    if (outcome.kind === 'waiting') this.#wait(triggered, outcome.until)
    return outcome
  }

  #wait(triggered: TriggeredWorkflow, until: number): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        void startFollowUp(triggered, null, this.#servicesOf(triggered))
      },
      Math.max(0, until - Date.now()),
    )
    this.#timers.add(timer)
  }

  #servicesOf(triggered: TriggeredWorkflow): EndServices {
    return {
      state: this.#state,
      slots: this.#slots,
      now: Date.now,
      executions: {
        start: async (run, request) => this.#start(triggered, run, request),
        stateOf: async (run) => (this.#commands.isAtWork(run) ? 'running' : 'ended'),
        stopPipelines: async () => {},
      },
    }
  }

  #start(triggered: TriggeredWorkflow, run: string, request: RunRequest): void {
    this.#commands.run(['run', triggered.name], run, request)
    const { trigger, only = null } = request
    const ended = { id: run, startTime: Date.now(), runner: localRunner(), trigger, mode: null, only, reason: null }
    void this.#commands.end(run).then(() => endRun(triggered, ended, this.#servicesOf(triggered)))
  }
}

function triggeredBy({ name, steps, minInterval }: WorkflowDocument): TriggeredWorkflow {
  const pipelines = steps.flatMap(({ kind, name: step }) => (kind === 'pipeline' || kind === 'replica' ? [step] : []))
  return { name, pipelines, minInterval: minInterval * 1000 }
}
