import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { isOwn, readPage, root } from './page.ts'

const docs = globSync('docs/*.md', { cwd: root }).sort()
const pages = [...docs, 'SECURITY.md', 'llms.txt', ...(isOwn ? ['README.md'] : [])]

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const headings = [
    ...readPage(page)
      .replaceAll(/^```[\s\S]*?^```/gm, '')
      .matchAll(/^#+ (.*)$/gm),
  ]
  return new Set(
    headings.map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

interface Link {
  readonly page: string
  readonly to: string
  readonly anchor: string | undefined
}

const links: readonly Link[] = pages.flatMap((page) =>
  [
    ...readPage(page)
      .replaceAll(/^```[\s\S]*?^```/gm, '')
      .matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/g),
  ].map(
    ([, path = '', anchor]): Link => ({
      page,
      to: path === '' ? page : relative(root, join(root, dirname(page), path)),
      anchor,
    }),
  ),
)

test('each link of a page leads to a file that is there', () => {
  // What an example's folder has, a project of a user may not.
  const wanted = links.filter(({ to }) => isOwn || /^docs|^[\w.]+$/.test(to))

  assert.ok(links.length > 200)
  assert.deepEqual(
    wanted.filter(({ to }) => !existsSync(join(root, to))),
    [],
  )
})

test('each link to a heading leads to one that its page has', () => {
  const broken = links.filter(
    ({ to, anchor }) => anchor !== undefined && to.endsWith('.md') && !anchorsOf(to).has(decodeURIComponent(anchor)),
  )

  assert.deepEqual(broken, [])
})

test('llms.txt leads to every page, each once, in the form of llmstxt.org', () => {
  const text = readPage('llms.txt')
  const listed = [...text.matchAll(/^- \[[^\]]+\]\(([^)]+)\): \S/gm)].map(([, path]) => path)

  assert.match(text, /^# Dray\n\n> \S[^\n]*\n\n\S/)
  assert.deepEqual(listed.sort(), [...docs, 'SECURITY.md'].sort())
})

test('README.md leads to every page', { skip: !isOwn }, () => {
  const linked = new Set(links.filter(({ page }) => page === 'README.md').map(({ to }) => to))

  assert.deepEqual(
    docs.filter((page) => !linked.has(page)),
    [],
  )
})
