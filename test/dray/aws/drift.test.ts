import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { FunctionReference } from 'dray/internal/workflow/placeholders.ts'
import type { StateMachine } from 'dray/internal/workflow/states-language.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { type SynthesizedStack, synthesizedStack } from './synthesized-stack.ts'

describe('the state machines on AWS', () => {
  let stack: SynthesizedStack
  before(async () => {
    stack = await synthesizedStack()
  })
  const compiled = toStatesLanguage(nightly)
  const local = new Map<string, { definition: StateMachine; functions: readonly FunctionReference[] }>([
    ['Dray-test_nightly_workflow', compiled],
    ...[...compiled.machines.values()].map((pipeline) => [`Dray-test_${pipeline.name}_pipeline`, pipeline] as const),
  ])

  test('are one for the workflow and one for each of its pipelines', () => {
    const names = stack.ofType('AWS::StepFunctions::StateMachine').map(({ Properties }) => Properties.StateMachineName)

    assert.deepEqual(names.sort(), [...local.keys()].sort())
  })

  test('are byte for byte the definitions that run locally', () => {
    for (const { Properties } of stack.ofType('AWS::StepFunctions::StateMachine')) {
      assert.equal(Properties.DefinitionString, JSON.stringify(local.get(Properties.StateMachineName)?.definition))
    }
  })

  test('call published versions of the same handlers', () => {
    const place = (id: string) => id.slice(0, id.lastIndexOf('/') + 1)
    for (const [id, { Type, Properties }] of Object.entries(stack.resources)) {
      if (Type !== 'AWS::StepFunctions::StateMachine') continue
      const substitutions = Properties.DefinitionSubstitutions as Record<string, { readonly Ref?: string }>
      for (const { placeholder, handler } of local.get(Properties.StateMachineName)?.functions ?? []) {
        const version = stack.versionBehind(id, substitutions[placeholder]?.Ref ?? '')

        assert.equal(version.resource.Type, 'AWS::Lambda::Version')
        assert.equal(version.resource.DeletionPolicy, 'Retain')
        const lambda = stack.resources[`${place(version.id)}${version.resource.Properties.FunctionName.Ref}`]
        assert.equal(lambda?.Properties.Description, handler)
      }
    }
  })

  test('start pipelines by the names that these have', () => {
    const workflow = stack.stateMachine('Dray-test_nightly_workflow')
    for (const [placeholder, { name }] of compiled.machines) {
      const arn = JSON.stringify(workflow.Properties.DefinitionSubstitutions[placeholder])

      assert.match(arn, new RegExp(`:stateMachine:Dray-test_${name}_pipeline"`))
    }
  })
})
