import { hash } from 'node:crypto'
import type { Text } from '#dray/block/block.ts'
import { planningRun, type TransformInput } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { ageOfRow } from '#dray/pipeline/rows/age.ts'
import type { Outcome } from '#dray/pipeline/rows/outcome.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { writeJsonLines } from '#dray/staging/documents.ts'
import { passedPrefix } from '#dray/staging/keys.ts'
import type { Services } from '../services.ts'
import { readOpenKeys } from './open-keys.ts'

/** A row that came out of the transform, of a key that has an open entry in the quarantine. */
export interface PassedRow {
  readonly partition: number
  readonly key: string
  /** How new the row is; empty where nothing says it. */
  readonly age: string
  readonly outcome: 'loaded' | 'filtered' | 'deleted'
}

/** A line of such a row with its sum: Commit finds these objects by their keys, with no reference to check them by. */
export interface PassedLine extends PassedRow {
  readonly sum: string
}

export function sumOf({ partition, key, age, outcome }: PassedRow): string {
  return hash('sha256', JSON.stringify([partition, key, age, outcome])).slice(0, 16)
}

/** Notes which keys with an open entry have come through a transform. */
export class PassedKeys {
  readonly #pipeline: Pipeline
  readonly #input: TransformInput
  readonly #keys: ReadonlyMap<string, unknown>
  readonly #key: readonly number[]
  readonly #ageOf: (row: readonly Text[]) => string
  readonly #passed: PassedLine[] = []

  constructor(pipeline: Pipeline, input: TransformInput, keys: ReadonlyMap<string, unknown>) {
    const { extract } = pipeline
    this.#pipeline = pipeline
    this.#input = input
    this.#keys = keys
    this.#key = extract.source.definition.primaryKey.map(({ index }) => index)
    this.#ageOf = ageOfRow(extract)
  }

  note(row: readonly Text[], { kind }: Outcome): void {
    if (kind === 'quarantined') return
    const key = keyOf(this.#key.map((index) => row[index] ?? null))
    if (!this.#keys.has(key)) return
    const age = this.#ageOf(row)
    const passed = { partition: this.#input.partition, key, age, outcome: kind }
    this.#passed.push({ ...passed, sum: sumOf(passed) })
  }

  async stage({ staging, signal }: Services): Promise<void> {
    if (this.#passed.length === 0) return
    const prefix = passedPrefix(planningRun(this.#input), this.#pipeline.name)
    await writeJsonLines(staging, prefix, this.#passed, { signal })
  }
}

/** Null where no entry is open; and where the list of them cannot be read, so that they stay open. */
export async function passedKeys(
  pipeline: Pipeline,
  input: TransformInput,
  services: Services,
): Promise<PassedKeys | null> {
  if (!input.open) return null
  try {
    return new PassedKeys(pipeline, input, await readOpenKeys(input.open, services))
  } catch (error) {
    if (!isUnreadable(error)) throw error
    services.log.warn(`${(error as Error).message} Rows in the quarantine stay open though their keys may land.`)
    return null
  }
}

/** Bookkeeping of the quarantine fails no run. */
export function isUnreadable(error: unknown): boolean {
  return ['StagedObjectMissing', 'StagedObjectDamaged'].includes((error as Error).name)
}
