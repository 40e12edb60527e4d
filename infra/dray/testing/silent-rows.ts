import type { AssertionError } from 'node:assert'

/** Rows of which nothing has been expected so far, each with the fault that this is. */
const silent = new Set<AssertionError>()

/** Fails the process at its end unless the row is spoken of: a test that expects nothing passes whatever happens. */
export function watchRow(fault: AssertionError): void {
  if (silent.size === 0) process.once('exit', failIfSilent)
  silent.add(fault)
}

export function spokenOf(fault: AssertionError): void {
  silent.delete(fault)
  if (silent.size === 0) process.off('exit', failIfSilent)
}

function failIfSilent(): void {
  for (const { stack } of silent) process.stderr.write(`${stack}\n`)
  process.exitCode = 1
}
