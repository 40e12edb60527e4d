import type { FileChange } from './file-changes.ts'

const AROUND = 2

/** What changes in a file, as a unified diff shows it. */
export function diffText({ path, before, after }: FileChange): string {
  const lines = after.replace(/\n$/, '').split('\n')
  if (before === null) return [`--- /dev/null`, `+++ ${path}`, ...lines.map((line) => `+${line}`), ''].join('\n')
  const marked = markedLines(before.replace(/\n$/, '').split('\n'), lines)
  const shown = new Set<number>()
  for (const [place, line] of marked.entries()) {
    if (line.startsWith(' ')) continue
    for (let near = place - AROUND; near <= place + AROUND; near++) shown.add(near)
  }
  const parts = marked.flatMap((line, place) => {
    if (!shown.has(place)) return []
    return place > 0 && !shown.has(place - 1) ? ['@@', line] : [line]
  })
  return [`--- ${path}`, `+++ ${path}`, ...parts, ''].join('\n')
}

/** Each line with ` `, `-` or `+` in front, by the longest common run of lines. */
function markedLines(before: readonly string[], after: readonly string[]): string[] {
  const common = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1))
  const at = (one: number, other: number) => common[one]?.[other] ?? 0
  for (let one = before.length - 1; one >= 0; one--) {
    for (let other = after.length - 1; other >= 0; other--) {
      const row = common[one] as Uint32Array
      row[other] =
        before[one] === after[other] ? at(one + 1, other + 1) + 1 : Math.max(at(one + 1, other), at(one, other + 1))
    }
  }
  const marked: string[] = []
  let [one, other] = [0, 0]
  while (one < before.length || other < after.length) {
    if (one < before.length && other < after.length && before[one] === after[other]) {
      marked.push(` ${before[one]}`)
      one += 1
      other += 1
    } else if (other >= after.length || (one < before.length && at(one + 1, other) >= at(one, other + 1))) {
      marked.push(`-${before[one++]}`)
    } else marked.push(`+${after[other++]}`)
  }
  return marked
}
