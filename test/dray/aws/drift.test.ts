import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { type Resource, synthesizedStack } from './synthesized-stack.ts'

test('the state machine on AWS is byte for byte the definition that runs locally, on the same handlers', async () => {
  const { resources, ofType } = await synthesizedStack()

  const machines = ofType('AWS::StepFunctions::StateMachine')

  assert.equal(machines.length, 1)
  for (const [index, workflow] of [nightly].entries()) {
    const { definition, functions } = toStatesLanguage(workflow)
    const deployed = deployedDefinition(machines[index] as Resource, resources)
    const placeholderOf = new Map(functions.map(({ handler, placeholder }) => [handler, placeholder]))
    const local = deployed.replace(/<([^>]+)>/g, (_, handler) => `\${${placeholderOf.get(handler)}}`)
    assert.equal(local, JSON.stringify(definition))
  }
})

/** The definition with `<functions/…/….ts>` where the ARN of the Lambda that runs that handler will be. */
function deployedDefinition({ Properties }: Resource, resources: Record<string, Resource>): string {
  const arns = new Map(Object.entries(Properties.DefinitionSubstitutions as Record<string, { 'Fn::GetAtt': string[] }>))
  return (Properties.DefinitionString as string).replace(/\$\{([^}]+)\}/g, (_, placeholder) => {
    const [lambda = '', attribute] = arns.get(placeholder)?.['Fn::GetAtt'] ?? []
    assert.equal(attribute, 'Arn', `${placeholder} is not the ARN of a Lambda`)
    return `<${resources[lambda]?.Properties.Description}>`
  })
}
