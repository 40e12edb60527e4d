import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runInput } from 'dray/internal/messages/run-input.ts'
import { caughtError } from 'dray/internal/workflow/expressions.ts'
import jsonata from 'jsonata'
import { expressionsOf, someDefinitions } from './definitions.ts'

const VERSION = '0.9.8'
const library = join(homedir(), '.m2/repository/com/dashjoin/jsonata', VERSION, `jsonata-${VERSION}.jar`)
const program = join(import.meta.dirname, 'java/Evaluate.java')
const skip =
  spawnSync('java', ['-version']).status !== 0
    ? 'needs Java 17'
    : !existsSync(library) && `needs \`mvn dependency:get -Dartifact=com.dashjoin:jsonata:${VERSION}\``

interface Question {
  readonly states: unknown
  readonly expressions: readonly string[]
}

type Answer = { readonly value: unknown } | { readonly nothing: true } | { readonly error: string }

/** What the Java implementation says, within the depth and the time that Step Functions grants. */
function askJava(questions: readonly Question[]): readonly (readonly Answer[])[] {
  const { stdout, stderr, status } = spawnSync('java', ['-cp', library, program], {
    input: questions.map((question) => JSON.stringify(question)).join('\n'),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  assert.equal(status, 0, stderr)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

const known = new Map<string, jsonata.Expression>()

function parsed(expression: string): jsonata.Expression {
  const found = known.get(expression) ?? jsonata(expression)
  known.set(expression, found)
  return found
}

/** Half a pair of surrogates cannot be written in UTF-8: the answers of Java have a question mark in its place. */
function throughUtf8(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, part) =>
    typeof part === 'string' ? part.replace(/\p{Surrogate}/gu, '?') : part,
  )
}

/** Java's library says null for no value, and for JSON's null as well. */
async function askJavaScript(expression: string, states: unknown): Promise<Answer> {
  const value = await parsed(expression).evaluate(undefined, { states })
  return value === undefined || value === null ? { nothing: true } : { value: throughUtf8(value) }
}

const lambdas = (errorMessage: string) =>
  JSON.stringify({ errorType: 'Terminal', errorMessage, trace: ['Terminal: "x"'] })
const causes = [
  undefined,
  '',
  'Rate exceeded',
  '{"a":1}',
  '{"errorType":"Terminal","errorMessage":null,"trace":["x"]}',
  '{"errorType":"Terminal","errorMessage"',
  '{"errorMessage" : "spaced"}',
  ...[
    '',
    'plain',
    'a "b"\n\tc \\n d\\',
    'a\u0000b\u001f',
    '\\u0041 \\\\u0041',
    'C:\\new\\table',
    '$1 $0 $$',
    '{% 1 %}',
  ],
  ...['Äänekoski 東京 😀👩‍👩‍👧', '\ud83d alone', '"'.repeat(100_000), '\\'.repeat(100_000), '\n'.repeat(100_000)],
  ...['😀'.repeat(100_000), 'x'.repeat(100_000), '"\\'.repeat(50_000), '\u0001'.repeat(100_000)],
].map((text, index) => (index < 7 ? text : lambdas(text as string)))
/** What Step Functions says of an execution of a pipeline's machine that did not succeed. */
const described = ['gone', '', 'a "b" \\ c\n😀', '","Cause":"', '😀'.repeat(1_000)].flatMap((Cause) => {
  const execution = { ExecutionArn: 'arn:aws:states:x', Input: '{"Cause":"in the input"}', Status: 'FAILED' }
  return [
    JSON.stringify({ Cause, Error: 'PipelineFailed', ...execution }),
    JSON.stringify({ ...execution, Error: 'PipelineFailed', Cause }),
  ]
})
const cut = [3, 50, 60, 70, 3_999, 32_768].map((length) => lambdas('a "b" \\ c\n'.repeat(5_000)).slice(0, length))

const run = { id: 'run-1', workflow: 'any', started_at: '2026-01-02T03:00:00.000Z', trigger: 'manual' }
const outcome = (status: string) => ({ status, reason: status === 'success' ? null : `${status}: "é"` })
const stepsOf = (statuses: readonly (string | undefined)[]) =>
  Object.fromEntries(
    statuses.flatMap((status, index) =>
      ['step', 'before'].flatMap((name) => (status === undefined ? [] : [[`${name}-${index}`, outcome(status)]])),
    ),
  )
const plans = [
  { plan: { key: 'plan' }, epoch: 7, partitions: [{ partition: 0 }], concurrency: 2 },
  { plan: { key: 'plan' }, epoch: 7, planned_by: 'run-0', distributed: true, items: { bucket: 'b', key: 'k' } },
]
/** Pipelines of a group. */
const items = [
  { step: 'step-0', machine: 'arn:1', after: [] },
  { step: 'last', function: 'arn:4', after: ['step-0'] },
  { step: 'step-1', machine: 'arn:2', after: ['step-0', 'before-4'], entity: 'shop/orders' },
  { step: 'step-2', machine: 'arn:3', after: Array.from({ length: 120 }, (_, index) => `before-${index}`) },
]
const many = Array.from({ length: 150 }, (_, index) => index)
const inputs = [
  {},
  null,
  [],
  [{}],
  'text',
  7,
  { trigger: 'schedule', only: ['step-0', 'step-2'], mode: { resume: 'run-0' } },
  { only: ['nothing'], more: 1, trigger: 7 },
  { trigger: ['😀'.repeat(100), '東\ud83d'], '😀': 1 },
  { only: [], mode: { backfil: {} }, entities: { 'shop/orders': { keys: [1], window: null } } },
  { mode: { backfill: { from: '2024-01-01', to: '2024-02-01', chunk: null } } },
  { mode: { keys: ['1', ['fi', '2']] }, entities: { 'a/b': { keys: 'all', window: null } } },
  ...[7, '7'].map((key) => ({
    mode: { keys: many.map((index) => (index % 2 === 0 ? key : ['fi', `${key}`])) },
    events: many.map((index) => `event ${index}`),
    entities: Object.fromEntries(many.map((index) => [`shop/${index}`, { keys: [key], window: null }])),
    only: many.map((index) => `step-${index}`),
  })),
  { causation: [{ workflow: 'w', run: 'r' }], events: ['e'], entities: {} },
]

function everyState(): readonly unknown[] {
  const contexts = inputs.map((Input) => ({
    Execution: { Input, Name: 'run-1', StartTime: run.started_at },
    Map: { Item: { Index: 3, Value: { partition: 3 } } },
  }))
  // Others are refused before anything else is evaluated.
  const accepted = contexts.filter(({ Execution }) => runInput.safeParse(Execution.Input).success)
  const steps = [
    [],
    Array.from({ length: 120 }, () => 'success'),
    Array.from({ length: 120 }, (_, index) => ['success', 'failed', 'skipped', 'refused', undefined][index % 5]),
  ].map(stepsOf)
  return [
    ...inputs.map((input) => ({ input, context: contexts[0] })),
    ...[0, 6, 7]
      .map((index) => contexts[index])
      .flatMap((context) =>
        steps.map((each) => ({ input: { run, steps: each, plan: plans[0], finish: { status: 'success' } }, context })),
      ),
    ...plans.map((plan) => ({
      input: { run, steps: steps[2], plan, faults: '' },
      result: { Payload: { partition: 0, read: 5, last_run_before: null } },
      context: contexts[0],
    })),
    ...accepted.flatMap((context, index) =>
      items.map((item) => ({
        input: { ...item, run, steps: steps[index % 3] },
        context: { ...context, Map: { Item: { Index: 0, Value: item } } },
      })),
    ),
    ...[items.slice(0, 1), items].flatMap((level) =>
      accepted.slice(0, 3).map((context, index) => ({
        input: { run, level: 1, items: level, steps: steps[index], error: { Error: 'A', Cause: 'b' } },
        result: level.map(({ step }) => ({ [step]: outcome('failed') })),
        context,
      })),
    ),
    ...[null, '', 'short', '😀'.repeat(160), '😀'.repeat(161), 'x'.repeat(500)].map((reason) => ({
      input: { ...items[0], run, outcome: { status: 'failed', reason } },
      result: { Payload: { status: 'failed', reason } },
      context: contexts[0],
    })),
    ...inputs.map((input) => ({
      input: { ...(input as object), run: { ...run, id: 'run-0' } },
      context: { ...contexts[0], Execution: { Input: { run }, Name: 'run-1', StartTime: run.started_at } },
    })),
    {
      input: { run, steps: steps[1] },
      result: [{ 'step-0': outcome('failed') }, {}, { 'step-1': outcome('success') }],
      context: contexts[0],
    },
    {
      input: { run, steps: steps[1] },
      result: [
        { run, steps: steps[1] },
        { run, steps: {} },
      ],
      context: contexts[0],
    },
  ]
}

function evaluated(expression: string, states: unknown): Promise<unknown> {
  return jsonata(expression.slice(2, -2)).evaluate(undefined, { states })
}

/** Step Functions keeps as much of a cause. */
function asLongAsCauses({ Error: name, Cause }: { readonly Error: string; readonly Cause?: string }): object {
  return { Error: name, ...(Cause === undefined ? {} : { Cause: Cause.slice(0, 32_768).toWellFormed() }) }
}

test('has every expression evaluated by Java as by JavaScript', { skip }, async () => {
  const expressions = [...new Set(someDefinitions(2).flatMap(expressionsOf))].filter(
    (expression) => !/before-\d/.test(expression) || /before-7\b/.test(expression),
  )
  const errors = [...causes, ...cut, ...described].map((Cause) => ({
    Error: 'Terminal',
    ...(Cause === undefined ? {} : { Cause }),
  }))
  const caught = expressions.filter((expression) => /errorOutput/.test(expression))
  const reasons = expressions.filter((expression) => /\.error\b/.test(expression))
  assert.ok(caught.length > 0 && reasons.length > 0)
  const handedOn = await Promise.all(errors.map((errorOutput) => evaluated(caughtError, { errorOutput })))
  const questions: Question[] = [
    ...everyState().map((states) => ({ states, expressions })),
    ...errors.map((errorOutput) => ({ states: { input: { run, steps: {} }, errorOutput }, expressions: caught })),
    ...[...handedOn, ...errors.map(asLongAsCauses)].map((error) => ({
      states: { input: { run, step: 'step-0', steps: {}, error }, context: { Execution: { Input: {} } } },
      expressions: reasons,
    })),
  ]

  const java = askJava(questions)

  let compared = 0
  for (const [index, { states, expressions }] of questions.entries()) {
    for (const [place, expression] of expressions.entries()) {
      assert.deepEqual(java[index]?.[place], await askJavaScript(expression, states), expression)
      compared += 1
    }
  }
  assert.ok(compared > 2_000, `only ${compared} were compared`)
})
