import { createInterface } from 'node:readline/promises'
import { shown } from './output.ts'

/** Whether somebody is there to answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true
}

/**
 * Asks on the terminal; anything but y or yes is no. Throws `Interrupted` when the input ends, or Ctrl-C is pressed,
 * before there is an answer.
 */
export async function confirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      const leave = () =>
        reject(Object.assign(new Error('Not answered, so nothing was done.'), { name: 'Interrupted' }))
      terminal.once('close', leave).once('SIGINT', leave)
      terminal.question(shown(`${question} [y/N] `)).then(resolve, leave)
    })
    return /^\s*y(es)?\s*$/i.test(answer)
  } finally {
    terminal.close()
  }
}
