import { relative } from 'node:path'
import type { TestEvent } from 'node:test/reporters'

/** Prints, when all is done, how many seconds each suite took and which files took most of them. */
export default async function* seconds(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Map<string, number>()
  for await (const { type, data } of events) {
    if (type === 'test:summary' && data.file !== undefined) files.set(data.file, data.duration_ms / 1000)
  }
  yield `\nSeconds by suite (files at once share the processors):\n${lines(bySuite(files)).join('')}`
  yield `\nThe slowest files:\n${lines([...files].map(([file, spent]) => [relative('', file), spent]))
    .slice(0, 60)
    .join('')}`
}

function bySuite(files: ReadonlyMap<string, number>): [string, number][] {
  const suites = new Map<string, number>()
  for (const [file, spent] of files) {
    const [first = '', second = '', third = ''] = relative('', file).split('/')
    const suite = [first, second, ...(second === 'dray' ? [third] : [])].join('/')
    suites.set(suite, (suites.get(suite) ?? 0) + spent)
  }
  return [...suites]
}

function lines(spent: readonly (readonly [string, number])[]): string[] {
  return spent
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, seconds]) => `${seconds.toFixed(1).padStart(8)}  ${name}\n`)
}
