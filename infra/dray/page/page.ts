import { drayVersion, projectFolder } from '#dray-infra/project/project-folder.ts'
import { type Change, Changes } from './changes.ts'
import { Commands } from './commands.ts'
import { Copies } from './copies.ts'
import type { CatalogueDocument, PlaceDocument, ProjectDocument } from './documents.ts'
import { LocalBus } from './events.ts'
import { Histories } from './histories.ts'
import { KeptLogs } from './kept-logs.ts'
import { Loop } from './loop.ts'
import type { PageSource } from './page-source.ts'
import { ProjectReader } from './project-reader.ts'
import { Schedules } from './schedules.ts'

/** How long the log of a run of an environment is taken for the newest, in ms. */
const LOG_MS = 10_000
/** Runs that the history of a step goes back. */
const MOST_POINTS = 200

/** What the page is made of: what it reads, what it has started, and who hears of changes. */
export class Page {
  readonly source: PageSource
  readonly changes: Changes
  /** Null where the page only shows. */
  readonly commands: Commands | null
  readonly logs: KeptLogs
  readonly copies: Copies
  readonly histories: Histories
  readonly reader = new ProjectReader()
  /** Null where the page looks at an environment: there is nothing to save, and the clock and the bus are AWS's. */
  readonly loop: Loop | null
  readonly schedules: Schedules | null
  readonly bus: LocalBus | null
  #project: Promise<ProjectDocument> | null = null
  #last: CatalogueDocument | null = null

  constructor(source: PageSource) {
    this.source = source
    this.changes = new Changes(source.stateFile)
    this.logs = new KeptLogs((run) => source.logOf(run), { keptMs: source.stateFile === null ? LOG_MS : 0 })
    this.copies = new Copies(source.stores)
    this.histories = new Histories(source.stores.state, { most: MOST_POINTS })
    this.commands =
      source.act === null ? null : new Commands(source.act, { env: source.env, changed: () => this.#acted() })
    const { databases, slots } = source
    const isHere = databases !== null && slots !== null && this.commands !== null
    this.loop = isHere ? this.#watch(databases) : null
    this.schedules = isHere
      ? new Schedules(
          () => this.catalogue(),
          (workflow, at) => this.#onTime(workflow, at),
        )
      : null
    this.bus = isHere ? new LocalBus(source, slots, this.commands as Commands) : null
    void this.project()
  }

  /** A command has begun or ended: an environment is not asked only when its turn comes. */
  #acted(): void {
    this.changes.tell('commands')
    this.changes.tell('state')
  }

  #watch(databases: Promise<void>): Loop {
    return new Loop({
      folder: projectFolder,
      reader: this.reader,
      databases,
      pipelines: async () => {
        const units = (await this.catalogue())?.units ?? []
        return units.flatMap(({ kind, name }) => (kind === 'pipeline' ? [name] : []))
      },
      changed: () => this.renew(),
      told: () => this.changes.tell('loop'),
    })
  }

  #onTime(workflow: string, at: number): void {
    const request = {
      trigger: 'schedule',
      events: [`schedule:${new Date(at).toISOString()}`],
      entities: {},
      causation: [],
    }
    this.commands?.run(['run', workflow], undefined, request)
  }

  place(): PlaceDocument {
    const { env, isMasked } = this.source
    return { env, version: drayVersion(), project: projectFolder, mayAct: this.commands !== null, isMasked }
  }

  /** As the files are; where they cannot be loaded, as they last could. */
  project(): Promise<ProjectDocument> {
    this.#project ??= this.#read()
    return this.#project
  }

  async catalogue(): Promise<CatalogueDocument | null> {
    return (await this.project()).catalogue
  }

  /** Files have changed. */
  renew(): void {
    this.reader.renew()
    this.#project = null
    this.changes.tell('project')
  }

  listen(listener: (change: Change) => void): () => void {
    return this.changes.listen(listener)
  }

  async close(): Promise<void> {
    this.changes.stop()
    this.schedules?.turn(false)
    this.bus?.close()
    this.loop?.close()
    await this.commands?.stop()
    await this.reader.close()
  }

  async #read(): Promise<ProjectDocument> {
    try {
      this.#last = await this.reader.ask({ kind: 'catalogue' })
      return { catalogue: this.#last, fault: null }
    } catch (error) {
      return { catalogue: this.#last, fault: (error as Error).message }
    }
  }
}
