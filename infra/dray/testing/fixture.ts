import { readFileSync } from 'node:fs'
import type { ColumnDefinition } from 'dray/internal/active-record/table-definition.ts'
import type { Text } from 'dray/internal/block/block.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import * as z from 'zod'
import { masked } from '#dray-infra/add/masked.ts'
import { judge, NOW, type Verdict } from './verdict.ts'

const byColumn = z.record(z.string(), z.string().nullable())
const reason = z.object({ field: z.string(), code: z.string() })
const fixtureRow = z.object({
  /** The source's own texts. */
  source: byColumn,
  outcome: z.enum(['loaded', 'filtered', 'deleted', 'quarantined']),
  /** The texts that are written, of a row that is loaded. */
  target: byColumn.optional(),
  findings: z.array(reason).optional(),
  /** Why it is quarantined. */
  errors: z.array(reason).optional(),
})
const fixture = z.object({
  pipeline: z.string(),
  masked: z.boolean(),
  /** The start of the run. */
  now: z.string(),
  rows: z.array(fixtureRow).min(1),
})

type Fixture = z.infer<typeof fixture>
export type FixtureRow = z.infer<typeof fixtureRow>
type Rows = readonly Readonly<Record<string, Text>>[]

/** What becomes of rows of the source; masked ones are masked first, so that a test has what it needs. */
export function fixtureOf(pipeline: Pipeline, rows: Rows, { isMasked }: { readonly isMasked: boolean }): Fixture {
  const { columns } = pipeline.extract.source.definition
  const verdictOf = judge(pipeline, NOW)
  const texts = rows.map((row) => columns.map((column) => shown(column, row[column.column] ?? null, isMasked)))
  // Rows that are masked may be the same.
  const unlike = [...new Map(texts.map((row) => [JSON.stringify(row), row])).values()]
  return {
    pipeline: pipeline.name,
    masked: isMasked,
    now: NOW,
    rows: unlike.map((row) => ({
      source: Object.fromEntries(columns.map(({ column }, place) => [column, row[place] ?? null])),
      ...savedOf(verdictOf(row)),
    })),
  }
}

function shown({ field }: ColumnDefinition, text: Text, isMasked: boolean): Text {
  return isMasked ? masked(text, field.settings) : text
}

function savedOf({ kind, row, findings, errors }: Verdict): Omit<FixtureRow, 'source'> {
  const reasons = (said: Verdict['errors']) => said.map(({ field, code }) => ({ field, code }))
  return {
    outcome: kind,
    ...(kind === 'loaded' ? { target: Object.fromEntries(row.map(({ column, text }) => [column.column, text])) } : {}),
    ...(findings.length > 0 ? { findings: reasons(findings) } : {}),
    ...(errors.length > 0 ? { errors: reasons(errors) } : {}),
  }
}

/** The command that writes a pipeline's fixture. */
export const savingCommand = (pipeline: string): string => `npx dray preview ${pipeline} --save-fixture`

/** A saved fixture. Throws `Configuration` for a file that is none, or of another pipeline. */
export function readFixture(file: string, { name }: Pick<Pipeline, 'name'>): Fixture {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') {
      throw new ConfigurationError(`${name}: ${file} is a folder; name a file in it`, { cause: error })
    }
    throw new ConfigurationError(`${name}: there is no fixture ${file}; write it by \`${savingCommand(name)}\``, {
      cause: error,
    })
  }
  const read = fixture.safeParse(jsonOf(text))
  if (read.success && read.data.pipeline === name) return read.data
  const what = read.success ? `is a fixture of ${read.data.pipeline}` : 'is no fixture, or one that was changed'
  throw new ConfigurationError(
    `${name}: ${file} ${what}; delete it, or name another file, and write the fixture by \`${savingCommand(name)}\``,
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The texts of a saved row in the order of the columns. Throws `Configuration` for a column that is no more. */
export function savedTexts(
  saved: Readonly<Record<string, Text>>,
  columns: readonly ColumnDefinition[],
  { pipeline, what }: { readonly pipeline: string; readonly what: string },
): readonly Text[] {
  const names = new Set(columns.map(({ column }) => column))
  const unknown = Object.keys(saved).filter((name) => !names.has(name))
  if (unknown.length === 0) return columns.map(({ column }) => saved[column] ?? null)
  throw new ConfigurationError(
    `${pipeline}: ${what} has ${unknown.join(', ')}, which the model has not; write it anew by \`${savingCommand(pipeline)}\``,
  )
}
