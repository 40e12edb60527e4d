/** What a terminal of so many columns shows in the end: of its codes those that bars of progress use. */
export function rendered(output: string, columns: number): string[] {
  const lines: string[][] = [[]]
  let [row, column, wraps] = [0, 0, true]
  const line = () => {
    while (lines.length <= row) lines.push([])
    return lines[row] as string[]
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal obeys.
  for (const [token, parameter = '', code] of output.matchAll(/\u001b\[([?0-9;]*)([A-Za-z])|[\s\S]/gu)) {
    if (code === 'A') row = Math.max(0, row - Number(parameter || 1))
    else if (code === 'B') row += Number(parameter || 1)
    else if (code === 'G') column = Number(parameter || 1) - 1
    else if (code === 'K') line().splice(column)
    else if (parameter === '?7') wraps = code === 'h'
    else if (token === '\r') column = 0
    else if (token === '\n') {
      row += 1
      column = 0
    } else if (code === undefined) {
      if (column >= columns && !wraps) continue
      if (column >= columns) {
        row += 1
        column = 0
      }
      const shown = line()
      while (shown.length < column) shown.push(' ')
      shown[column] = token
      column += 1
    }
  }
  return lines.map((one) => one.join('').trimEnd())
}
