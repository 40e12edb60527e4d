import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cron, toSchedulerExpression } from 'dray/internal/workflow/cron.ts'

const TIMEZONE = 'Europe/Helsinki'

const translations: [unix: string, scheduler: string][] = [
  ['0 2 * * *', 'cron(0 2 * * ? *)'],
  ['*/15 8-18 * * MON-FRI', 'cron(*/15 8-18 ? * 2,3,4,5,6 *)'],
  ['0 2 * * 0', 'cron(0 2 ? * 1 *)'],
  ['0 2 * * 7', 'cron(0 2 ? * 1 *)'],
  ['0 2 * * 5-7', 'cron(0 2 ? * 1,6,7 *)'],
  ['0 2 * * 1/2', 'cron(0 2 ? * 2,4,6 *)'],
  ['30 4 1,15 JAN,jul *', 'cron(30 4 1,15 JAN,jul ? *)'],
]
for (const [unix, scheduler] of translations) {
  test(`says ${unix} to EventBridge as ${scheduler}`, () => {
    assert.equal(toSchedulerExpression(cron(unix, { timezone: TIMEZONE })), scheduler)
  })
}

const refusals: [expression: string, message: RegExp][] = [
  ['0 2 * *', /has 4 fields/],
  ['60 2 * * *', /has '60' as minute.*use 0 to 59/],
  ['0 24 * * *', /as hour/],
  ['0 2 0 * *', /as day of month/],
  ['0 2 * 13 *', /as month/],
  ['0 2 * FOO *', /as month/],
  ['0 2 * * 8', /as day of week/],
  ['5-1 2 * * *', /as minute/],
  ['*/0 2 * * *', /the step 0/],
  ['0 2 ? * *', /has '\?' as day of month/],
  ['0 2 1 * MON', /days of the month and days of the week/],
]
for (const [expression, message] of refusals) {
  test(`refuses the schedule ${expression}`, () => {
    assert.throws(() => cron(expression, { timezone: TIMEZONE }), { name: 'Configuration', message })
  })
}

test('refuses a time zone that is not known', () => {
  assert.throws(() => cron('0 2 * * *', { timezone: 'Europe/Atlantis' }), {
    name: 'Configuration',
    message: /Atlantis/,
  })
})
