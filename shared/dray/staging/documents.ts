import { StagedObjectDamaged, TerminalError } from '#dray/errors.ts'
import type { StagedObject } from '#dray/messages/staged-object.ts'
import type { Block, StagedHeader, StagingOptions, StagingStore } from './staging-store.ts'

const BLOCK_CHARACTERS = 256 * 1024

function lineOf(value: unknown): string {
  const text = JSON.stringify(value)
  if (text === undefined)
    throw new TerminalError(`A value of type ${typeof value} has no JSON, so it cannot be staged.`)
  return `${text}\n`
}

function damaged(store: StagingStore, object: StagedObject | string, difference: string): StagedObjectDamaged {
  return new StagedObjectDamaged(store.locate(typeof object === 'string' ? object : object.key), difference)
}

/** The lines of an object of the format expected, a block at a time; by its reference, or by its key alone. */
async function* linesOf(
  store: StagingStore,
  object: StagedObject | string,
  format: StagedHeader['format'],
  options: StagingOptions | undefined,
): AsyncGenerator<string[]> {
  const content = typeof object === 'string' ? await store.open(object, options) : await store.read(object, options)
  if (content.header.format !== format) {
    throw damaged(store, object, `it is ${content.header.format} where ${format} is expected`)
  }
  for await (const block of content.blocks) {
    const lines = block.bytes.toString('utf8').split('\n')
    lines.pop()
    yield lines
  }
}

/** What a line says; a damaged one may be found before the end of its object, where the checksum tells. */
function parsed<T>(store: StagingStore, object: StagedObject | string, line: string): T {
  try {
    return JSON.parse(line) as T
  } catch {
    throw damaged(store, object, 'a line of it is not JSON')
  }
}

/** Stages one value as a JSON document. */
export async function writeJson(
  store: StagingStore,
  prefix: string,
  value: unknown,
  options?: StagingOptions,
): Promise<StagedObject> {
  return store.write(prefix, { format: 'json' }, [{ bytes: Buffer.from(lineOf(value)), rows: 1 }], options)
}

/** The value of a JSON document, once it has been read whole and checked; by its reference, or by its key alone. */
export async function readJson<T>(
  store: StagingStore,
  object: StagedObject | string,
  options?: StagingOptions,
): Promise<T> {
  let document: string | undefined
  for await (const lines of linesOf(store, object, 'json', options)) document = lines[0]
  if (document === undefined) throw damaged(store, object, 'it holds no document')
  return parsed<T>(store, object, document)
}

/** Stages a list as one JSON array that a service can read as it is. */
export async function writeJsonArray(
  store: StagingStore,
  prefix: string,
  items: readonly unknown[],
  options?: StagingOptions,
): Promise<StagedObject> {
  return store.write(prefix, { format: 'json-array' }, [{ bytes: Buffer.from(lineOf(items)), rows: 1 }], options)
}

/** The list of a JSON array; by its reference, or by its key alone. */
export async function readJsonArray(
  store: StagingStore,
  object: StagedObject | string,
  options?: StagingOptions,
): Promise<unknown[]> {
  let text = ''
  for await (const lines of linesOf(store, object, 'json-array', options)) text += lines.join('')
  return parsed<unknown[]>(store, object, text)
}

async function* lineBlocks(values: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<Block> {
  let text = ''
  let rows = 0
  for await (const value of values) {
    text += lineOf(value)
    rows += 1
    if (text.length < BLOCK_CHARACTERS) continue
    yield { bytes: Buffer.from(text), rows }
    text = ''
    rows = 0
  }
  if (rows > 0) yield { bytes: Buffer.from(text), rows }
}

/** Stages values as JSON, one a line. */
export async function writeJsonLines(
  store: StagingStore,
  prefix: string,
  values: AsyncIterable<unknown> | Iterable<unknown>,
  options?: StagingOptions,
): Promise<StagedObject> {
  return store.write(prefix, { format: 'json-lines' }, lineBlocks(values), options)
}

/**
 * The values of an object of JSON lines; throws `StagedObjectDamaged` at its end at the latest, as `read` does, or
 * `open` for a key alone.
 */
export async function* readJsonLines<T>(
  store: StagingStore,
  object: StagedObject | string,
  options?: StagingOptions,
): AsyncGenerator<T> {
  for await (const { value } of readMeasuredLines<T>(store, object, options)) yield value
}

/** As `readJsonLines`, each value with the length of its line. */
export async function* readMeasuredLines<T>(
  store: StagingStore,
  object: StagedObject | string,
  options?: StagingOptions,
): AsyncGenerator<{ readonly value: T; readonly characters: number }> {
  for await (const lines of linesOf(store, object, 'json-lines', options)) {
    for (const line of lines) yield { value: parsed<T>(store, object, line), characters: line.length }
  }
}
