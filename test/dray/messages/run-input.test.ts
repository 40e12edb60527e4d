import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RunRequest } from 'dray/internal/messages/run-input.ts'
import { type RunInput, runInput, runInputOf } from 'dray/internal/messages/run-input.ts'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import * as z from 'zod'

const page = join(import.meta.dirname, '../../../docs/events.md')

test('is published as a JSON Schema', () => {
  const text = readFileSync(page, 'utf8')
  const block = /(<!-- the schema of the input[^>]*-->\n```json\n)[^`]*(```\n<!-- end of the schema -->)/
  const schema = written(z.toJSONSchema(runInput, { io: 'input' }))

  const current = text.replace(block, (_, start, end) => `${start}${schema}\n${end}`)

  assert.match(text, block)
  if (process.env.UPDATE_DOCS === '1') writeFileSync(page, current)
  else assert.equal(text, current, 'run this test with UPDATE_DOCS=1 and look at what has changed')
})

test('takes every mode of a run, and what triggers ask for', () => {
  const mode: RunMode = { replay: { run: null, ids: ['1'] } }
  const request: RunRequest = { trigger: 'schedule', events: [], entities: {}, causation: [] }

  const input: RunInput = { ...request, mode, only: ['orders'] }

  assert.deepEqual(runInput.parse(input), input)
  assert.deepEqual(runInput.parse({}), { trigger: 'manual' })
})

test('says in words what is wrong', () => {
  const { error } = runInputOf(['customers', 'orders']).safeParse({ only: ['order'], when: 'now' })

  const words = z.prettifyError(error as z.ZodError)
  assert.match(words, /Unrecognized key: "when"/)
  assert.match(words, /expected one of "customers"\|"orders"\s+→ at only\[0\]/)
})

/** As JSON of lines that are no longer than need be. */
function written(value: unknown, indent = ''): string {
  const line = JSON.stringify(value)
  if (indent.length + line.length <= 110 || typeof value !== 'object' || value === null) return line
  const inside = `${indent}  `
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  const parts = Array.isArray(value)
    ? value.map((item) => written(item, inside))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${written(item, inside)}`)
  return `${open}\n${parts.map((part) => inside + part).join(',\n')}\n${indent}${close}`
}
