import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokenFor } from 'dray/internal/lambda/database-tokens.ts'

test('a database with IAM signs in with a token for its own host, port and user', async () => {
  Object.assign(process.env, {
    AWS_REGION: 'eu-north-1',
    AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
  })

  const token = new URL(`https://${await tokenFor('postgres://dray@till.example.com:5433/till')}`)

  assert.equal(token.host, 'till.example.com:5433')
  assert.equal(token.searchParams.get('DBUser'), 'dray')
  assert.equal(token.searchParams.get('Action'), 'connect')
  assert.match(token.searchParams.get('X-Amz-Credential') ?? '', /^AKIAEXAMPLE\/\d{8}\/eu-north-1\/rds-db\//)
})
