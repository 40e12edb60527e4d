import assert from 'node:assert/strict'
import { test } from 'node:test'
import validate from 'asl-validator'
import { synthesizedStack } from './synthesized-stack.ts'

test('asl-validator finds nothing in the definitions as synthesized', async () => {
  const { ofType } = await synthesizedStack()

  for (const { Properties } of ofType('AWS::StepFunctions::StateMachine')) {
    const substitutions = Object.keys(Properties.DefinitionSubstitutions)
    const text = substitutions.reduce(
      (definition, name, index) =>
        definition.replaceAll(`\${${name}}`, `arn:aws:lambda:eu-north-1:123456789012:function:f${index}`),
      Properties.DefinitionString as string,
    )

    const result = validate(JSON.parse(text))

    assert.ok(result.isValid, result.errorsText())
    assert.doesNotMatch(text, /\$\{/)
  }
})
