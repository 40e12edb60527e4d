import { basename } from 'node:path'
import type { ValidationError } from 'dray/internal/active-record/validations.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { differs, listed, sideBySide, told } from './failure.ts'
import { type FixtureRow, readFixture, savedTexts, savingCommand } from './fixture.ts'
import { judge, type Verdict } from './verdict.ts'

/** What has become another than is saved of the first such row of a fixture; null where nothing has. */
export function faultOfFixture(pipeline: Pipeline, file: string): string | null {
  const fixture = readFixture(file, pipeline)
  const verdictOf = judge(pipeline, fixture.now)
  const { columns } = pipeline.extract.source.definition
  for (const [place, row] of fixture.rows.entries()) {
    const what = `row ${place} of ${basename(file)}`
    const verdict = verdictOf(savedTexts(row.source, columns, { pipeline: pipeline.name, what }))
    const fault = faultOf(row, verdict, { pipeline: pipeline.name, what })
    if (fault !== null) {
      const remedy = `Where that is right, write the fixture anew: ${savingCommand(pipeline.name)}`
      return `${what} ${fault.trimEnd()}\n\n${remedy}\n`
    }
  }
  return null
}

function faultOf(saved: FixtureRow, verdict: Verdict, where: { readonly pipeline: string; readonly what: string }) {
  if (saved.outcome !== verdict.kind) return `was ${saved.outcome} when it was saved, and now ${told(verdict)}`
  const columns = verdict.row.map(({ column }) => column)
  const texts = savedTexts(saved.target ?? {}, columns, where)
  const pairs = verdict.row.map(({ column, text }, place) => ({ column, expected: texts[place] ?? null, became: text }))
  if (pairs.some(differs)) return `has other values than are saved.\n\n${sideBySide(pairs, ['saved', 'became'])}`
  for (const list of ['errors', 'findings'] as const) {
    if (reasonsOf(saved[list] ?? []) !== reasonsOf(verdict[list]))
      return `has other ${list} than are saved.\n\nsaved:\n${saidOf(saved[list])}\nbecame:\n${listed(verdict[list])}`
  }
  return null
}

function reasonsOf(said: readonly Pick<ValidationError, 'field' | 'code'>[]): string {
  return JSON.stringify(said.map(({ field, code }) => [field, code]))
}

function saidOf(said: FixtureRow['errors'] = []): string {
  return listed(said.map((one) => ({ ...one, message: '' })))
}
