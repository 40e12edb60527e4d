import assert from 'node:assert/strict'
import { healthy } from './patient.ts'

/** What is not in order, and what is said of it. */
export interface Fault {
  readonly name: string
  readonly files?: Record<string, string | null>
  readonly now?: () => number
  readonly urls?: () => Promise<Record<string, string>>
  /** The line, and in it the remedy. */
  readonly line: RegExp
  readonly remedy: RegExp
}

export const pipelineFile = 'functions/orders/pipeline.ts'
/** A file of the healthy project with a change. */
export const edited = (file: string, from: string | RegExp, to: string) => {
  const text = (healthy[file] as string).replace(from, to)
  assert.notEqual(text, healthy[file], `${file} has no ${from}`)
  return { [file]: text }
}
export const handler = (stage: string, text: string) => ({ [`functions/orders/${stage}.ts`]: text })
