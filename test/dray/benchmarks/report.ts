import Table from 'cli-table3'
import type { Result } from './measure.ts'

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 3 })

/** The results as a table for a terminal or a file. */
export function tableOf(results: readonly Result[]): string {
  const table = new Table({
    head: ['benchmark', 'value', 'spread', 'baseline', 'ratio', 'goal', ''],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  })
  for (const result of results) {
    const { name, value, unit, spread, baseline, ratio, goal, better, ok, note } = result
    table.push([
      note === undefined ? name : `${name}\n  ${note}`,
      `${number.format(value)} ${unit}`,
      spread === null ? '' : spread.map((one) => number.format(one)).join('–'),
      baseline === null ? '' : number.format(baseline),
      ratio === null ? '' : number.format(ratio),
      goal === null ? '' : `${better === 'more' ? '≥' : '≤'} ${number.format(goal)}`,
      ok === null ? '' : ok ? 'ok' : 'MISSED',
    ])
  }
  return table.toString()
}
