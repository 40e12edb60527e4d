import { readFileSync } from 'node:fs'

/** What is written above classes, constants and fields of a file, by name: `TargetOrder`, `TargetOrder.phone`. */
export type SourceComments = ReadonlyMap<string, string>

const DECLARATION = /^export (?:class|const) (\w+)/
const FIELD = /^ {2}(\w+): /

/** Reads `/** … *\/` where it stands right above what it is about. */
export function commentsOf(text: string): SourceComments {
  const found = new Map<string, string>()
  let [owner, said] = ['', null as string | null]
  const lines = text.split('\n')
  for (let place = 0; place < lines.length; place++) {
    const line = lines[place] as string
    if (line.trimStart().startsWith('/**')) {
      const end = lines.findIndex((one, at) => at >= place && one.includes('*/'))
      if (end < 0) break
      said = plainText(lines.slice(place, end + 1).join('\n'))
      place = end
      continue
    }
    const name = DECLARATION.exec(line)?.[1]
    const field = FIELD.exec(line)?.[1]
    if (name !== undefined) owner = name
    if (said !== null && name !== undefined) found.set(name, said)
    else if (said !== null && field !== undefined) found.set(`${owner}.${field}`, said)
    said = null
  }
  return found
}

function plainText(comment: string): string {
  return comment
    .replace(/^\s*\/\*\*|\*\/\s*$/g, '')
    .replace(/^\s*\* ?/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** The same of files, whichever has it. */
export function commentsIn(files: readonly string[]): SourceComments {
  return new Map(files.flatMap((file) => [...commentsOf(readFileSync(file, 'utf8'))]))
}
