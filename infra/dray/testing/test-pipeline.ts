import { AssertionError } from 'node:assert'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { getCallSites } from 'node:util'
import type { FieldsOf } from 'dray/internal/active-record/model.ts'
import type { Text } from 'dray/internal/block/block.ts'
import type { AnySource, AnyTarget } from 'dray/internal/pipeline/declare/any-model.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { differs, listed, type Pair, sideBySide, told } from './failure.ts'
import { faultOfFixture } from './fixture-test.ts'
import { type TestRow, textsOf } from './rows.ts'
import { spokenOf, watchRow } from './silent-rows.ts'
import { filledByLoad, judge, NOW, type Verdict } from './verdict.ts'

// biome-ignore lint/complexity/noBannedTypes: whatever has been called, for the caller's line on top of a failure.
type Called = Function

interface Judged {
  readonly pipeline: Pipeline
  readonly filled: ReadonlySet<string>
  readonly judge: (row: readonly Text[]) => Verdict
}

/**
 * Tests a pipeline row by row, as a run transforms them, without a database. `now` is the start of the run, in UTC.
 *
 * @example
 * testPipeline(orders)
 *   .row({ id: 1n, customerId: 7n, totalAmount: '19.90' })
 *   .becomes({ orderId: 1n, customerId: 7n, orderAmount: '19.90' })
 */
export function testPipeline<S extends AnySource, T extends AnyTarget>(
  pipeline: Pipeline<S, T>,
  { now = NOW }: { readonly now?: string } = {},
): PipelineTest<S, T> {
  const any = pipeline as unknown as Pipeline
  return new PipelineTest({ pipeline: any, filled: filledByLoad(any), judge: judge(any, now) })
}

/** What is under test; each expectation throws an `AssertionError` at the caller's line. */
export class PipelineTest<S extends AnySource, T extends AnyTarget> {
  readonly #judged: Judged

  constructor(judged: Judged) {
    this.#judged = judged
  }

  /**
   * A source row; what is left out is NULL. An expectation has to follow. Throws `Configuration` for a field that the
   * source does not have, and for a value of another kind.
   */
  row(values: TestRow<FieldsOf<S>>): RowTest<S, T> {
    const { pipeline } = this.#judged
    const texts = textsOf(pipeline.extract.source.definition, values, `${pipeline.name}: row()`)
    return new RowTest(this.#judged, this.#judged.judge(texts), this.row)
  }

  /**
   * Each row that `dray preview <pipeline> --save-fixture` has saved becomes what it became then. The file is named as
   * the caller would import it. Throws `Configuration` where it is none.
   */
  fixture(file: string): this {
    const [, caller] = getCallSites(2)
    const { pipeline } = this.#judged
    const fault = faultOfFixture(pipeline, fileURLToPath(new URL(file, urlOf(caller?.scriptName ?? ''))))
    if (fault !== null) throw failure(`${pipeline.name}: ${fault}`, this.fixture)
    return this
  }
}

/** What is expected of one row. */
export class RowTest<S extends AnySource, T extends AnyTarget> extends PipelineTest<S, T> {
  readonly #judged: Judged
  readonly #verdict: Verdict
  readonly #silent: AssertionError

  constructor(judged: Judged, verdict: Verdict, called: Called) {
    super(judged)
    this.#judged = judged
    this.#verdict = verdict
    this.#silent = this.#failure('nothing was expected of the row; say becomes(), rejects() or the like', called)
    watchRow(this.#silent)
  }

  /**
   * The row is loaded as this one: all of its fields are compared, and one that is left out has to be NULL. Fields
   * that the load fills, as by `touch()`, count where they are given.
   */
  becomes(expected: TestRow<FieldsOf<T>>): this {
    spokenOf(this.#silent)
    const { kind, row } = this.#verdict
    const { pipeline, filled } = this.#judged
    const { definition } = pipeline.load.target
    const texts = textsOf(definition, expected, `${pipeline.name}: becomes()`)
    this.#expect(kind === 'loaded', `the row was to be loaded, but ${told(this.#verdict)}`, this.becomes)
    const columns = new Set(row.map(({ column }) => column))
    const isSaid = ({ name }: Pair['column']) => expected[name] !== undefined
    const given = (column: Pair['column']) =>
      filled.has(column.name) && !isSaid(column) ? undefined : (texts[column.index] ?? null)
    const pairs: readonly Pair[] = [
      ...row.map(({ column, text }) => ({ column, expected: given(column), became: text })),
      ...definition.columns
        .filter((column) => !columns.has(column) && isSaid(column))
        .map((column) => ({ column, expected: given(column), became: null })),
    ]
    this.#expect(
      !pairs.some(differs),
      `the row was loaded with other values than expected.\n\n${sideBySide(pairs)}\n`,
      this.becomes,
    )
    return this
  }

  /** The row is quarantined, and this is among the reasons. */
  rejects(field: string, code: string): this {
    const { kind, errors } = this.#verdict
    const what = `the row was to be quarantined for '${field}', '${code}', but ${told(this.#verdict)}`
    this.#expect(kind === 'quarantined' && isAmong(errors, field, code), what, this.rejects)
    return this
  }

  /** The row is left out: the transform gave null. */
  filters(): this {
    const what = `the row was to be filtered, but ${told(this.#verdict)}`
    this.#expect(this.#verdict.kind === 'filtered', what, this.filters)
    return this
  }

  /** The row is deleted: by its flag, or since the transform says `row.delete()`. */
  deletes(): this {
    const what = `the row was to be deleted, but ${told(this.#verdict)}`
    this.#expect(this.#verdict.kind === 'deleted', what, this.deletes)
    return this
  }

  /** The row is loaded, and this is among what was found wrong in it. */
  finds(field: string, code: string): this {
    const { kind, findings } = this.#verdict
    const found = kind === 'loaded' ? `these were the findings:\n${listed(findings)}` : told(this.#verdict)
    const what = `'${field}', '${code}' was to be found in the row, but ${found}`
    this.#expect(kind === 'loaded' && isAmong(findings, field, code), what, this.finds)
    return this
  }

  #expect(isMet: boolean, what: string, called: Called): void {
    spokenOf(this.#silent)
    if (!isMet) throw this.#failure(what, called)
  }

  #failure(what: string, called: Called): AssertionError {
    return failure(`${this.#judged.pipeline.name}: ${what}`, called)
  }
}

function urlOf(script: string): URL {
  return script.startsWith('file:') ? new URL(script) : pathToFileURL(script)
}

function failure(message: string, called: Called): AssertionError {
  return new AssertionError({ message, operator: called.name, stackStartFn: called })
}

function isAmong(said: Verdict['errors'], field: string, code: string): boolean {
  return said.some((one) => one.field === field && one.code === code)
}
