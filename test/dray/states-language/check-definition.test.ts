import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDefinition } from 'dray-infra/internal/states-language/check-definition.ts'
import { execute } from 'dray-infra/internal/states-language/index.ts'
import { mapOf, taskOf } from './machine.ts'
import { VirtualClock } from './virtual-clock.ts'

const end = { Type: 'Succeed' }

async function refusalOf(definition: unknown): Promise<string> {
  const nothing = () => assert.fail('Something was started.')
  try {
    await execute(
      definition,
      {},
      { executor: { invoke: nothing }, clock: new VirtualClock(), onEvent: nothing, executionName: 'x' },
    )
  } catch (error) {
    assert.equal((error as Error).name, 'UnsupportedDefinition')
    return (error as Error).message
  }
  assert.fail('The definition was not refused.')
}

const machine = (states: object, rest: object = {}) => ({
  QueryLanguage: 'JSONata',
  StartAt: Object.keys(states)[0],
  States: states,
  ...rest,
})

const reader = {
  Resource: 'arn:aws:states:::s3:getObject',
  ReaderConfig: { InputType: 'JSON' },
  Arguments: { Bucket: 'b', Key: 'k' },
}
const distributed = (config: object) => ({
  ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD', ...config },
  StartAt: 'end',
  States: { end },
})
const distributedMap = { Type: 'Map', ItemReader: reader, ItemProcessor: distributed({}), End: true }

const nested = (rest: object) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::states:startExecution.sync:2',
  Arguments: { StateMachineArn: 'A', Name: 'run-1', Input: {} },
  TimeoutSeconds: 5,
  End: true,
  ...rest,
})

const refused: [name: string, definition: unknown, message: RegExp][] = [
  [
    'a Wait state',
    machine({ pause: { Type: 'Wait', Seconds: 1, End: true } }),
    /^The state 'pause': the field Type is not valid/,
  ],
  ['JSONPath', { StartAt: 'end', States: { end } }, /^The definition: the field QueryLanguage/],
  [
    'a timeout of the whole machine that is none',
    machine({ end }, { TimeoutSeconds: 0 }),
    /^The definition: the field TimeoutSeconds is not valid/,
  ],
  [
    'a heartbeat',
    machine({ work: taskOf('A', { HeartbeatSeconds: 5, End: true }) }),
    /'work': the field HeartbeatSeconds is not implemented/,
  ],
  [
    'an assignment',
    machine({ set: { Type: 'Pass', Assign: { a: 1 }, End: true } }),
    /'set': the field Assign is not implemented/,
  ],
  [
    'a task without a timeout',
    machine({ work: taskOf('A', { TimeoutSeconds: undefined, End: true }) }),
    /'work': the field TimeoutSeconds/,
  ],
  [
    'another resource',
    machine({ work: taskOf('A', { Resource: 'arn:aws:states:::sqs:sendMessage', End: true }) }),
    /'work': the field Resource/,
  ],
  [
    'an execution that is not waited for',
    machine({ work: nested({ Resource: 'arn:aws:states:::states:startExecution' }) }),
    /'work': the field Resource/,
  ],
  [
    'an execution without a name',
    machine({ work: nested({ Arguments: { StateMachineArn: 'A', Input: {} } }) }),
    /'work': the field Arguments\.Name/,
  ],
  [
    'an execution without a timeout',
    machine({ work: nested({ TimeoutSeconds: undefined }) }),
    /'work': .* TimeoutSeconds/,
  ],
  [
    'a qualifier of a Lambda',
    machine({ work: taskOf('A', { Arguments: { FunctionName: 'A', Payload: 1, Qualifier: '2' }, End: true }) }),
    /'work': the field Arguments\.Qualifier is not implemented/,
  ],
  [
    'a tolerated failure',
    machine({ each: mapOf('A', { ToleratedFailureCount: 1 }) }),
    /'each': the field ToleratedFailureCount is not implemented/,
  ],
  [
    'a Distributed Map over its input',
    machine({ each: mapOf('A', { ItemProcessor: distributed({}) }) }),
    /'each': the field Items is not implemented like this/,
  ],
  [
    'a Distributed Map with a field for tolerated failures',
    machine({ each: { ...distributedMap, ToleratedFailurePercentage: 5 } }),
    /'each': the field ToleratedFailurePercentage is not implemented/,
  ],
  [
    'a Distributed Map that writes its results elsewhere',
    machine({ each: { ...distributedMap, ResultWriter: { Resource: 'arn:aws:states:::s3:putObject' } } }),
    /'each': the field ResultWriter is not implemented/,
  ],
  [
    'a Distributed Map of express executions',
    machine({ each: { ...distributedMap, ItemProcessor: distributed({ ExecutionType: 'EXPRESS' }) } }),
    /'each': the field ItemProcessor\.ProcessorConfig/,
  ],
  [
    'an item reader of lines',
    machine({ each: { ...distributedMap, ItemReader: { ...reader, ReaderConfig: { InputType: 'JSONL' } } } }),
    /'each': the field ItemReader\.ReaderConfig\.InputType/,
  ],
  [
    'an item reader of an inline Map',
    machine({ each: mapOf('A', { ItemReader: reader }) }),
    /'each': the field ItemReader is not implemented like this/,
  ],
  [
    'an item reader with half an expression',
    machine({ each: { ...distributedMap, ItemReader: { ...reader, Arguments: { Bucket: 'b', Key: '{% $states' } } } }),
    /'each': the field ItemReader has only one of/,
  ],
  [
    'an unknown field in a state of a Map of a branch',
    machine({
      both: {
        Type: 'Parallel',
        End: true,
        Branches: [
          {
            StartAt: 'each',
            States: {
              each: mapOf('A', {
                ItemProcessor: {
                  ProcessorConfig: { Mode: 'INLINE' },
                  StartAt: 'deep',
                  States: { deep: { ...end, Result: 1 } },
                },
              }),
            },
          },
        ],
      },
    }),
    /'deep': the field Result is not implemented/,
  ],
  ['an unknown start', machine({ end }, { StartAt: 'begin' }), /StartAt names 'begin'/],
  ['an unknown next state', machine({ work: taskOf('A', { Next: 'gone' }) }), /'work': the field Next names 'gone'/],
  [
    'an unknown default',
    machine({ pick: { Type: 'Choice', Choices: [{ Condition: '{% true %}', Next: 'end' }], Default: 'gone' }, end }),
    /'pick': the field Default/,
  ],
  [
    'an unknown catcher',
    machine({ work: taskOf('A', { Catch: [{ ErrorEquals: ['A'], Next: 'gone' }], End: true }) }),
    /'work': the field Catch names 'gone'/,
  ],
  ['a state that goes nowhere', machine({ pass: { Type: 'Pass' } }), /'pass': the field Next must be there, or End/],
  [
    'a state that ends and goes on',
    machine({ pass: { Type: 'Pass', Next: 'end', End: true }, end }),
    /'pass': the field Next must be there, or End/,
  ],
  [
    'a name used in two places',
    machine({ item: taskOf('A', { Next: 'each' }), each: mapOf('A') }),
    /'item': the field name is used twice/,
  ],
  [
    'States.ALL before others',
    machine({ work: taskOf('A', { Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['A'] }], End: true }) }),
    /'work': the field Retry has States\.ALL/,
  ],
  [
    'a field of a retrier',
    machine({ work: taskOf('A', { Retry: [{ ErrorEquals: ['A'], Interval: 1 }], End: true }) }),
    /'work': the field Retry\.0\.Interval is not implemented/,
  ],
  [
    'a syntax error',
    machine({ pass: { Type: 'Pass', Output: { a: ['{% 1 + %}'] }, End: true } }),
    /'pass': the field Output cannot be compiled/,
  ],
  [
    'half of an expression',
    machine({ pass: { Type: 'Pass', Output: '{% 1', End: true } }),
    /'pass': the field Output has only one of/,
  ],
  [
    'a condition that is no expression',
    machine({ pick: { Type: 'Choice', Choices: [{ Condition: 'true', Next: 'end' }] }, end }),
    /'pick': the field Choices/,
  ],
  [
    '$eval',
    machine({ pass: { Type: 'Pass', Output: '{% $eval("1") %}', End: true } }),
    /'pass'.*\$eval is not implemented/,
  ],
  [
    'a clock of its own',
    machine({ pass: { Type: 'Pass', Output: '{% $now() %}', End: true } }),
    /\$now is not implemented/,
  ],
  [
    'a function that only AWS has',
    machine({ pass: { Type: 'Pass', Output: '{% $parse("1") %}', End: true } }),
    /\$parse is not implemented/,
  ],
  ...(
    [
      ['a name at the top level', '$states.input.a & phone', /refers to 'phone' at the top level/],
      ['a name at the top level of a function', '$map($states.input, function($x) { b })', /refers to 'b' at the top/],
      ['a wildcard at the top level', '*', /at the top level/],
      ['a descendant at the top level', '**.a', /at the top level/],
      ['$ at the top level', '$.a', /refers to \$ at the top level/],
      ['$$', '$states.input[$$.a = 1]', /refers to \$\$ at the top level/],
      ['a parent', '$states.input.a.%', /parent is not implemented/],
      ['a change in a copy', '$states.input ~> |a|{"b": 1}|', /transform is not implemented/],
      ['a regular expression', '$contains($states.input, /a/)', /a regular expression can overflow/],
      ['$states as a whole', '$keys($states)', /\$states is read by one of its names/],
      ['a name that $states does not have', '$states.inputs', /\$states is read by one of its names/],
      ['a filter of $states', '$states[input = 1]', /\$states is read by one of its names/],
      ['$states.result in a Pass', '$states.result', /reads \$states\.result, which only/],
      ['$states.errorOutput out of a Catch', '[$states.errorOutput.Error]', /reads \$states\.errorOutput, which only/],
      ['$states that is set', '($states := 1; 2)', /\$states cannot be set/],
      ['more levels than an expression may nest', '('.repeat(120) + 1 + ')'.repeat(120), /nests deeper than 100/],
    ] as const
  ).map(([what, expression, message]): [string, unknown, RegExp] => [
    what,
    machine({ pass: { Type: 'Pass', Output: `{% ${expression} %}`, End: true } }),
    message,
  ]),
  [
    '$states.result in the arguments of a task',
    machine({ work: taskOf('A', { Arguments: { FunctionName: 'A', Payload: '{% $states.result %}' }, End: true }) }),
    /'work': the field Arguments reads \$states\.result/,
  ],
  [
    '$states.result in a Catch',
    machine({
      work: taskOf('A', { Catch: [{ ErrorEquals: ['A'], Output: '{% $states.result %}', Next: 'end' }], End: true }),
      end,
    }),
    /'work': the field Catch reads \$states\.result/,
  ],
  [
    'the syntax of a later JSONata',
    machine({ pass: { Type: 'Pass', Output: '{% $states.input.a ?? 1 %}', End: true } }),
    /'pass': the field Output cannot be compiled/,
  ],
  [
    'a variable that nothing sets',
    machine({ pass: { Type: 'Pass', Output: '{% $count($rows) %}', End: true } }),
    /\$rows is not implemented/,
  ],
]
for (const [name, definition, message] of refused) {
  test(`refuses ${name} before it starts`, async () => {
    assert.match(await refusalOf(JSON.parse(JSON.stringify(definition))), message)
  })
}

const allowed = [
  '$states.input.list[value > 3].name',
  '$states.input.list.{"a": b, "c": $.d}',
  '$states.input.list{kind: $sum(price)}',
  '$states.input.list^(>price).name',
  '($rows := $states.input.list; $map($rows, function($row) { $row.name }))',
  '$states.context.Execution.Input.`only`',
]
for (const expression of allowed) {
  test(`takes ${expression}`, () => {
    checkDefinition(machine({ pass: { Type: 'Pass', Output: `{% ${expression} %}`, End: true } }))
  })
}
