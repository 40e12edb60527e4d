import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { environmentOf } from 'dray-infra/internal/project/environment.ts'
import { bindSecrets, bindTokens, unreachableFromHere } from 'dray-infra/internal/remote/databases.ts'

const environment = environmentOf('test', {
  databases: {
    'bound-by-iam': {
      engine: 'mysql',
      iam: { host: 'db.example.com', user: 'dray', database: 'shop', resourceId: 'db-ABCDEFGHIJ' },
    },
  },
  expected: {},
})

describe('the databases of an environment, from the machine of who runs the command,', () => {
  test('are bound to their host by IAM, whatever the variables say', () => {
    process.env.BOUND_BY_IAM_DATABASE_URL = 'sqlite:mine.db'

    bindTokens(environment)

    assert.equal(process.env.BOUND_BY_IAM_DATABASE_URL, 'mysql://dray@db.example.com:3306/shop')
    assert.equal(process.env.BOUND_BY_IAM_DATABASE_IAM, 'true')
  })

  test('are refused when the environment does not know one', async () => {
    await assert.rejects(bindSecrets(environment, ['till']), {
      name: 'Configuration',
      message: /environment test does not say where the database till is/,
    })
  })

  test('are said to be out of reach when no connection comes about, and other errors stay', () => {
    const cause = Object.assign(new Error('connect ETIMEDOUT 10.0.0.1:5432'), { code: 'ETIMEDOUT' })
    const failed = new ConfigurationError('Database till cannot be reached at 10.0.0.1:5432; start it', { cause })
    const other = new ConfigurationError('the model does not fit')

    assert.match(
      (unreachableFromHere(failed, 'test') as Error).message,
      /^A database of test cannot be reached from this machine.*Database till cannot be reached at 10\.0\.0\.1:5432;.*through a tunnel/,
    )
    assert.equal(unreachableFromHere(other, 'test'), other)
  })
})
