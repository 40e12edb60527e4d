import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/** A file of the page, as browsers take it. */
export interface Asset {
  readonly type: string
  readonly plain: Uint8Array
  readonly gzip: Uint8Array
  readonly br: Uint8Array
}

export interface ClientFiles {
  readonly script: string
  readonly style: string
}

/** Bundles what runs in the browser; the user builds nothing. */
export async function clientFiles(what: 'page' | 'catalogue' = 'page'): Promise<ClientFiles> {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    absWorkingDir: join(import.meta.dirname, '../../..'),
    entryPoints: { page: join(import.meta.dirname, 'client', what === 'page' ? 'main.tsx' : 'static.tsx') },
    outdir: '/page',
    write: false,
    bundle: true,
    minify: true,
    legalComments: 'none',
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfigRaw: '{}',
    logLevel: 'silent',
  })
  const textOf = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? ''
  return { script: textOf('.js'), style: textOf('.css') }
}

/** The document of the page; `extra` are further scripts, which have to come first. */
export function pageHtml(title: string, extra: readonly string[] = []): string {
  const scripts = [...extra, 'page.js'].map((file) => `<script src="${file}" defer></script>`).join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page.css">
${scripts}
</head>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript; the commands of docs/operations.md show the same in a terminal.</noscript>
</body>
</html>
`
}

export const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1c5d99"/><path d="M6 11h13a5 5 0 0 1 0 10H6" fill="none" stroke="#fff" stroke-width="3.2" stroke-linecap="round"/><circle cx="24" cy="16" r="2.6" fill="#fff"/></svg>\n'

export function asset(type: string, text: string): Asset {
  const plain = Buffer.from(text)
  return {
    type,
    plain,
    gzip: gzipSync(plain),
    br: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  }
}

/** The smallest that the browser takes. */
export function encoded(
  file: Asset,
  accepted: string,
): { readonly body: Uint8Array; readonly encoding: string | null } {
  if (/\bbr\b/.test(accepted)) return { body: file.br, encoding: 'br' }
  if (/\bgzip\b/.test(accepted)) return { body: file.gzip, encoding: 'gzip' }
  return { body: file.plain, encoding: null }
}
