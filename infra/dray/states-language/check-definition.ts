import type { MapState, State, StateMachine, States, Template } from 'dray/internal/workflow/states-language.ts'
import { z } from 'zod'
import { isExpression, problemOf, stringsOf } from './expression.ts'
import { UnsupportedDefinition } from './states-error.ts'

const template: z.ZodType<Template> = z.json()
const errorNames = z.array(z.string()).min(1)
const retrier = z.strictObject({
  ErrorEquals: errorNames,
  IntervalSeconds: z.int().min(1).optional(),
  MaxAttempts: z.int().min(0).optional(),
  BackoffRate: z.number().min(1).optional(),
  MaxDelaySeconds: z.int().min(1).optional(),
  JitterStrategy: z.enum(['FULL', 'NONE']).optional(),
})
const catcher = z.strictObject({ ErrorEquals: errorNames, Output: template.optional(), Next: z.string() })
const comment = { Comment: z.string().optional() }
const transition = { ...comment, Next: z.string().optional(), End: z.literal(true).optional() }
const work = {
  ...transition,
  Output: template.optional(),
  Retry: z.array(retrier).optional(),
  Catch: z.array(catcher).optional(),
}

const invocation = z.strictObject({
  Type: z.literal('Task'),
  ...work,
  Resource: z.literal('arn:aws:states:::lambda:invoke'),
  Arguments: z.strictObject({ FunctionName: z.string().min(1), Payload: template }),
  TimeoutSeconds: z.int().min(1),
})

const nested = z.strictObject({
  Type: z.literal('Task'),
  ...work,
  Resource: z.literal('arn:aws:states:::states:startExecution.sync:2'),
  Arguments: z.strictObject({ StateMachineArn: z.string().min(1), Name: z.string().min(1), Input: template }),
  TimeoutSeconds: z.int().min(1),
})

const stateSchema = z.discriminatedUnion('Type', [
  z.strictObject({ Type: z.literal('Pass'), ...transition, Output: template.optional() }),
  z.strictObject({
    Type: z.literal('Choice'),
    ...comment,
    Choices: z.array(z.strictObject({ Condition: z.string(), Next: z.string() })).min(1),
    Default: z.string().optional(),
  }),
  z.discriminatedUnion('Resource', [invocation, nested]),
  z.strictObject({
    Type: z.literal('Map'),
    ...work,
    Items: template.optional(),
    ItemReader: z
      .strictObject({
        Resource: z.literal('arn:aws:states:::s3:getObject'),
        ReaderConfig: z.strictObject({ InputType: z.literal('JSON') }),
        Arguments: z.strictObject({ Bucket: z.string(), Key: z.string() }),
      })
      .optional(),
    ItemSelector: template.optional(),
    MaxConcurrency: z.union([z.int().min(0), z.string()]).optional(),
    ItemProcessor: z.strictObject({
      ProcessorConfig: z.discriminatedUnion('Mode', [
        z.strictObject({ Mode: z.literal('INLINE') }),
        z.strictObject({ Mode: z.literal('DISTRIBUTED'), ExecutionType: z.literal('STANDARD') }),
      ]),
      get StartAt() {
        return z.string()
      },
      get States() {
        return statesSchema
      },
    }),
  }),
  z.strictObject({
    Type: z.literal('Parallel'),
    ...work,
    Arguments: template.optional(),
    get Branches() {
      return z.array(z.strictObject({ StartAt: z.string(), States: statesSchema })).min(1)
    },
  }),
  z.strictObject({ Type: z.literal('Succeed'), ...comment, Output: template.optional() }),
  z.strictObject({ Type: z.literal('Fail'), ...comment, Error: z.string().optional(), Cause: z.string().optional() }),
])

const statesSchema: z.ZodType<Readonly<Record<string, State>>> = z.lazy(() =>
  z.record(z.string(), stateSchema),
) as unknown as z.ZodType<Readonly<Record<string, State>>>

const machineSchema = z.strictObject({
  ...comment,
  QueryLanguage: z.literal('JSONata'),
  StartAt: z.string(),
  States: statesSchema,
  TimeoutSeconds: z.int().min(1).optional(),
})

const checked = new WeakSet<object>()

/**
 * A definition that the interpreter implements in full. Throws `UnsupportedDefinition`, naming the state and the field,
 * for any other: a field that was passed over would make the local run differ from the one on AWS.
 */
export function checkDefinition(definition: unknown): asserts definition is StateMachine {
  if (typeof definition === 'object' && definition !== null && checked.has(definition)) return
  const parsed = machineSchema.safeParse(definition)
  if (!parsed.success) {
    const issue = parsed.error.issues[0] as z.core.$ZodIssue
    refuse(
      ...placeOf(issue),
      issue.code === 'unrecognized_keys' ? 'is not implemented' : `is not valid: ${issue.message}`,
    )
  }
  checkStates(definition as StateMachine, new Set())
  checked.add(definition as object)
}

function placeOf(issue: z.core.$ZodIssue): [state: string | null, field: string] {
  const keys = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]] : issue.path
  const states = keys.findLastIndex((key, index) => key === 'States' && index + 1 < keys.length)
  const field = keys.slice(states === -1 ? 0 : states + 2).join('.')
  return [states === -1 ? null : String(keys[states + 1]), field === '' ? 'Type' : field]
}

function refuse(state: string | null, field: string, problem: string): never {
  const where = state === null ? 'The definition' : `The state '${state}'`
  throw new UnsupportedDefinition(
    `${where}: the field ${field} ${problem}, so the local interpreter would run something else than Step Functions; nothing has been started.`,
  )
}

function checkStates(states: States, names: Set<string>): void {
  if (states.States[states.StartAt] === undefined)
    refuse(null, 'StartAt', `names '${states.StartAt}', which is not there`)
  for (const [name, state] of Object.entries(states.States)) {
    if (names.has(name)) refuse(name, 'name', 'is used twice')
    if (name.length > 80) refuse(name, 'name', 'is longer than 80 characters')
    names.add(name)
    checkTransitions(name, state, states)
    checkExpressions(name, state)
    if (state.Type === 'Task' || state.Type === 'Map' || state.Type === 'Parallel') {
      checkWildcards(name, 'Retry', state.Retry ?? [])
      checkWildcards(name, 'Catch', state.Catch ?? [])
    }
    if (state.Type === 'Map') {
      checkItems(name, state)
      checkStates(state.ItemProcessor, names)
    }
    if (state.Type === 'Parallel') for (const branch of state.Branches) checkStates(branch, names)
  }
}

/** A Map over its input works inline, one over an object in S3 is distributed; nothing else is implemented. */
function checkItems(name: string, state: MapState): void {
  const given = ['Items', 'ItemReader'].filter((field) => field in state)
  const { Mode } = state.ItemProcessor.ProcessorConfig
  const wanted = Mode === 'INLINE' ? 'Items' : 'ItemReader'
  if (given.length !== 1 || given[0] !== wanted) {
    refuse(
      name,
      given.find((field) => field !== wanted) ?? wanted,
      `is not implemented like this: a Map of the mode ${Mode} has ${wanted} and nothing else to take its items from`,
    )
  }
}

function checkTransitions(name: string, state: State, states: States): void {
  const targets: [field: string, target: string | undefined][] = []
  if (state.Type === 'Choice') {
    targets.push(['Default', state.Default])
    for (const choice of state.Choices) targets.push(['Choices', choice.Next])
  } else if (state.Type !== 'Succeed' && state.Type !== 'Fail') {
    if ((state.Next === undefined) === (state.End === undefined))
      refuse(name, 'Next', 'must be there, or End, and not both')
    targets.push(['Next', state.Next])
    if (state.Type !== 'Pass') for (const each of state.Catch ?? []) targets.push(['Catch', each.Next])
  }
  for (const [field, target] of targets) {
    if (target !== undefined && states.States[target] === undefined)
      refuse(name, field, `names '${target}', which is not there`)
  }
}

function checkExpressions(name: string, state: State): void {
  const isWork = state.Type === 'Task' || state.Type === 'Map' || state.Type === 'Parallel'
  for (const [field, value] of expressionFields(state)) {
    const place = { result: isWork && field === 'Output', errorOutput: field === 'Catch' }
    for (const text of stringsOf(value)) {
      const problem = problemOf(text, place)
      if (problem !== null) refuse(name, field, problem)
    }
  }
}

function expressionFields(state: State): [field: string, value: Template][] {
  const own = Object.entries(state).filter(([field]) =>
    ['Output', 'Arguments', 'Items', 'ItemReader', 'ItemSelector', 'MaxConcurrency', 'Error', 'Cause'].includes(field),
  ) as [string, Template][]
  if (state.Type === 'Choice') {
    return state.Choices.map((choice): [string, Template] => [
      'Choices',
      isExpression(choice.Condition) ? choice.Condition : '{%',
    ])
  }
  const caught = 'Catch' in state ? (state.Catch ?? []) : []
  return [...own, ...caught.map((each): [string, Template] => ['Catch', each.Output ?? null])]
}

function checkWildcards(
  name: string,
  field: string,
  rules: readonly { readonly ErrorEquals: readonly string[] }[],
): void {
  rules.forEach((rule, index) => {
    if (rule.ErrorEquals.includes('States.ALL') && (rule.ErrorEquals.length > 1 || index < rules.length - 1)) {
      refuse(name, field, 'has States.ALL beside or before other errors; it must be alone and last')
    }
  })
}
