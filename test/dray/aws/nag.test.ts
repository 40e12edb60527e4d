import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AwsSolutionsChecks } from 'cdk-nag'
import { environmentStacks } from './synthesized-stack.ts'

const network = {
  id: 'vpc-0123456789abcdef0',
  subnets: [{ id: 'subnet-0123456789abcdef0', availabilityZone: 'eu-north-1a', routeTable: 'rtb-0123456789abcdef0' }],
}

const notify = {
  slack: { secret: '/dray/test/slack' },
  webhook: { url: 'https://hooks.example.com', secret: '/dray/test/webhook' },
}

for (const [name, options] of Object.entries({
  'without a network': {},
  'in a network': { vpc: network },
  'with Slack and a webhook': { notify },
})) {
  test(`cdk-nag finds nothing in the stacks ${name} that has no reason given`, async () => {
    const { app } = await environmentStacks(options)

    const { violations } = new AwsSolutionsChecks(app, { verbose: true }).validateScope(app)

    const found = violations.flatMap(({ ruleName, description, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} ${constructPath}: ${description.slice(0, 100)}`),
    )
    assert.deepEqual(found, [])
  })
}
