import { stripVTControlCharacters } from 'node:util'

/** Characters that take the room of two. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

/** No word is broken that is shorter, so that names and ids can be pasted. */
const BREAKABLE = 30

/** How many characters of a line a text takes, without its colours. */
export function lengthOf(text: string): number {
  return [...stripVTControlCharacters(text)].reduce((sum, character) => sum + widthOf(character), 0)
}

function widthOf(character: string): number {
  return WIDE.test(character) ? 2 : 1
}

export function longestWord(text: string): number {
  return Math.min(BREAKABLE, Math.max(...text.split(' ').map(lengthOf)))
}

/** Lines of at most this width, which break between words, and within one that is longer than a line. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  const add = (part: string, gap: string) => {
    if (line !== '' && lengthOf(line) + gap.length + lengthOf(part) > width) {
      lines.push(line)
      line = part
    } else line += line === '' ? part : `${gap}${part}`
  }
  for (const word of text.split(' ')) {
    const [first = '', ...rest] = piecesOf(word, width)
    add(first, ' ')
    for (const piece of rest) {
      lines.push(line)
      line = piece
    }
  }
  return [...lines, line]
}

function piecesOf(word: string, width: number): string[] {
  if (lengthOf(word) <= width) return [word]
  const pieces = ['']
  for (const character of word) {
    const last = pieces.at(-1) as string
    if (last !== '' && lengthOf(last) + widthOf(character) > width) pieces.push(character)
    else pieces[pieces.length - 1] = last + character
  }
  return pieces
}

/**
 * A text whose lines break between words at this width; what is left of a line stands in, by two or so many characters.
 * A command in backquotes, a path or an address is never broken, so that it can be pasted.
 */
export function folded(text: string, width: number, hanging?: number): string {
  return text
    .split('\n')
    .map((line) => (lengthOf(line) <= width ? line : foldedLine(line, width, hanging)))
    .join('\n')
}

function foldedLine(line: string, width: number, hanging = line.search(/[^ ]|$/) + 2): string {
  const lines: string[] = []
  let last = ''
  for (const [word, gap = ''] of line.matchAll(/( *)(?:`[^`]*`|\S)+|\s+$/g)) {
    if (last !== '' && lengthOf(last) + lengthOf(word) > width) {
      lines.push(last)
      last = `${' '.repeat(hanging)}${word.slice(gap.length)}`
    } else last += word
  }
  return [...lines, last.trimEnd()].join('\n')
}
