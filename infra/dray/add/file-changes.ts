import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A file of the project as it is, and as it is going to be. */
export interface FileChange {
  /** From the project's folder on. */
  readonly path: string
  readonly before: string | null
  readonly after: string
}

/** Files of a project with changes that nobody has written yet. */
export class FileChanges {
  readonly #folder: string
  readonly #changed = new Map<string, string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** As it would be after the changes so far; null where there is none. */
  read(path: string): string | null {
    return this.#changed.get(path) ?? this.#present(path)
  }

  write(path: string, text: string): void {
    this.#changed.set(path, text)
  }

  /** A file that is there stays as it is. */
  writeNew(path: string, text: string): void {
    if (this.read(path) === null) this.write(path, text)
  }

  get list(): FileChange[] {
    return [...this.#changed]
      .map(([path, after]) => ({ path, before: this.#present(path), after }))
      .filter(({ before, after }) => before !== after)
  }

  save(): void {
    for (const { path, after } of this.list) {
      const file = join(this.#folder, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, after)
    }
  }

  #present(path: string): string | null {
    const file = join(this.#folder, path)
    return existsSync(file) ? readFileSync(file, 'utf8') : null
  }
}
