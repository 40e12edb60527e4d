import { existsSync, type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { drayHome } from '#dray-infra/local/home.ts'
import type { LoopDocument, PreviewDocument, SavedDocument } from './documents.ts'
import type { ProjectReader } from './project-reader.ts'
import { TypeCheck } from './type-check.ts'

const FOLDERS = ['functions', 'shared/models', 'infra']
/** An editor writes a file in several goes. */
const SETTLED_MS = 40
const ROWS = 10
const KEPT = 8
/** Pipelines that are looked at after a save of what several may use. */
const MOST_AFTER_SAVE = 8

export interface LoopSurroundings {
  readonly folder: string
  readonly reader: ProjectReader
  readonly databases: Promise<void>
  /** The pipelines of the project, as it last could be loaded. */
  pipelines(): Promise<readonly string[]>
  /** Files have changed. */
  changed(): void
  /** There is something new to see. */
  told(): void
}

/** Watches the files of the user: after each save, what it has changed of previews, types and tables. */
export class Loop {
  readonly #surroundings: LoopSurroundings
  readonly #watchers: FSWatcher[] = []
  readonly #types: TypeCheck
  readonly #previews = new Map<string, PreviewDocument>()
  #saved: SavedDocument[] = []
  #files = new Set<string>()
  #timer: NodeJS.Timeout | null = null

  constructor(surroundings: LoopSurroundings) {
    this.#surroundings = surroundings
    this.#types = new TypeCheck(surroundings.folder, {
      kept: join(drayHome(), 'types.tsbuildinfo'),
      told: surroundings.told,
    })
    for (const folder of FOLDERS.map((name) => join(surroundings.folder, name)).filter((path) => existsSync(path))) {
      const watcher = watch(folder, { recursive: true }, (_event, file) => this.#note(folder, file))
      // A folder that is removed is watched no more.
      watcher.on('error', () => watcher.close())
      this.#watchers.push(watcher)
    }
  }

  document(): Pick<LoopDocument, 'saved' | 'types'> {
    return { saved: this.#saved, types: this.#types.document() }
  }

  /** What a pipeline's transform makes of the next rows; later saves are shown beside it. */
  async preview(pipeline: string): Promise<PreviewDocument> {
    const { databases, reader } = this.#surroundings
    await databases
    const found = await reader.ask({ kind: 'preview', pipeline, limit: ROWS })
    this.#previews.set(pipeline, found)
    reader.prepare()
    return found
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#types.end()
  }

  #note(folder: string, file: string | null): void {
    const path = join(folder, file ?? '').slice(this.#surroundings.folder.length + 1)
    if (!/\.(ts|json)$/.test(path) || /(^|\/)(dray|node_modules|cdk\.out|\.[^/]*)\//.test(path)) return
    this.#files.add(path)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#settled(), SETTLED_MS)
  }

  #settled(): void {
    const at = Date.now() - SETTLED_MS
    const files = [...this.#files]
    this.#files = new Set()
    this.#surroundings.changed()
    const named = new Set(files.flatMap((file) => /^functions\/([^/]+)\//.exec(file)?.[1] ?? []))
    void this.#types.look()
    const own = [...named].filter((name) => this.#isPipeline(name))
    const isShared = files.some((file) => !file.startsWith('functions/'))
    const looked = isShared ? [...own, ...this.#previews.keys()] : own
    // A model may be that of any pipeline.
    if (files.some((file) => file.startsWith('shared/models/')))
      void this.#surroundings.pipelines().then((all) => this.#lookAt([...looked, ...all], at))
    else this.#lookAt(looked, at)
  }

  #lookAt(pipelines: readonly string[], at: number): void {
    for (const pipeline of [...new Set(pipelines)].slice(0, MOST_AFTER_SAVE)) void this.#look(pipeline, at)
  }

  #isPipeline(name: string): boolean {
    return existsSync(join(this.#surroundings.folder, 'functions', name, 'pipeline.ts'))
  }

  async #look(pipeline: string, at: number): Promise<void> {
    const { reader } = this.#surroundings
    const before = this.#previews.get(pipeline) ?? null
    const found = await this.preview(pipeline).then(
      (after) => ({ after, fault: null }),
      (error: Error) => ({ after: null, fault: error.message }),
    )
    this.#keep({ pipeline, at, took: Date.now() - at, before, checks: [], ...found })
    const checks = await reader.ask({ kind: 'examine', pipeline }).catch(() => [])
    const told = checks.filter(({ verdict }) => verdict !== 'ok')
    if (told.length > 0)
      this.#keep({ ...(this.#saved.find((one) => one.pipeline === pipeline) as SavedDocument), checks: told })
  }

  #keep(saved: SavedDocument): void {
    this.#saved = [saved, ...this.#saved.filter(({ pipeline }) => pipeline !== saved.pipeline)].slice(0, KEPT)
    this.#surroundings.told()
  }
}
