import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import { reportError } from 'dray-infra/internal/cli/error-report.ts'
import { exitCodeOf } from 'dray-infra/internal/cli/exit-codes.ts'

it('an explained error is its message on one line', () => {
  assert.equal(reportError(new ConfigurationError('no URL;\n  set one'), false), 'dray: no URL; set one')
})

it('an unexpected error is named and points to --debug', () => {
  assert.match(
    reportError(new TypeError('x is not a function'), false),
    /^dray: TypeError: x is not a function \(run again with --debug/,
  )
})

it('a full disk is called so, whoever has found it full', () => {
  for (const message of ['ENOSPC: no space left on device, write', 'database or disk is full'])
    assert.match(reportError(new Error(message), false), /^dray: a disk is full.*rolled back\. Free space.*DRAY_HOME/)
})

it('with --debug the stacks of the error and of its causes follow', () => {
  const error = new TerminalError('line 3: bad', { cause: new RangeError('too long') })

  const text = reportError(error, true)

  assert.match(text, /^dray: Terminal: line 3: bad\n\s+at /)
  assert.match(text, /caused by RangeError: too long\n\s+at /)
})

it('the exit code follows from the name of the error', () => {
  const named = (name: string) => Object.assign(new Error('x'), { name })

  assert.equal(exitCodeOf(new ConfigurationError('x')), 2)
  assert.equal(exitCodeOf(named('LeaseHeld')), 3)
  assert.equal(exitCodeOf(named('Interrupted')), 130)
  assert.equal(exitCodeOf(new TypeError('x')), 1)
  assert.equal(exitCodeOf('thrown text'), 1)
})
