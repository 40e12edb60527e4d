import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../../..')

/** A block of code of a page. */
export interface Block {
  /** `ts`, `sh`, `sql`, `text` …; empty where the page does not say. */
  readonly kind: string
  readonly text: string
  /** The heading that it stands under. */
  readonly heading: string
  /** The line of the page on which its text begins, from 1. */
  readonly line: number
}

export function readPage(page: string): string {
  return readFileSync(join(root, page), 'utf8')
}

/** Whether this is the framework's repository; the README and package.json of a project are its user's. */
export const isOwn = existsSync(join(root, 'README.md')) && readPage('README.md').startsWith('# Dray\n')

export function blocksOf(text: string): Block[] {
  const blocks: Block[] = []
  let heading = ''
  for (const found of text.matchAll(/^(?:(#+ .*)|(`{3,})(\w*)\n([\s\S]*?)^\2)$/gm)) {
    const [, title, , kind = '', code = ''] = found
    if (title !== undefined) heading = title.replace(/^#+ /, '')
    else blocks.push({ kind, text: code, heading, line: text.slice(0, found.index).split('\n').length + 1 })
  }
  return blocks
}

/** The examples of TypeScript of a page, or of a part of it. */
export function codeOf(text: string): string[] {
  return blocksOf(text)
    .filter(({ kind }) => kind === 'ts')
    .map((block) => block.text)
}

/** The commands of a block of a shell, those on several lines as one, without comments. */
export function commandsOf(block: string): string[] {
  return block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .flatMap((line) => line.replace(/(^|\s)#.*$/, '').split(/\s+(?:&&|\|\|)\s+/))
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** The words of a command as a shell takes them apart; a redirection and a pipe end it. */
export function wordsOf(command: string): string[] {
  const words = [...command.matchAll(/(?:'[^']*'|"[^"]*"|<[^>]*>|[^\s'"])+/g)].map(([word]) => word)
  const end = words.findIndex((word) => /^(?:\d?>|<$|\|$)/.test(word))
  return words.slice(0, end === -1 ? words.length : end).map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
}
