import { drayVersion, projectFolder } from '#dray-infra/project/project-folder.ts'
import { type Change, Changes } from './changes.ts'
import { Commands } from './commands.ts'
import type { CatalogueDocument, PlaceDocument, ProjectDocument } from './documents.ts'
import type { PageSource } from './page-source.ts'
import { ProjectReader } from './project-reader.ts'

/** What the page is made of: what it reads, what it has started, and who hears of changes. */
export class Page {
  readonly source: PageSource
  readonly changes: Changes
  /** Null where the page only shows. */
  readonly commands: Commands | null
  readonly reader = new ProjectReader()
  #project: Promise<ProjectDocument> | null = null
  #last: CatalogueDocument | null = null

  constructor(source: PageSource) {
    this.source = source
    this.changes = new Changes(source.stateFile)
    this.commands = source.act === null ? null : new Commands(source.act, () => this.changes.tell('commands'))
    void this.project()
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
