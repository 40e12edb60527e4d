import assert from 'node:assert/strict'
import { type DocumentName, documents } from 'dray-infra/internal/cli/documents/documents.ts'
import { DOCUMENT_VERSION } from 'dray-infra/internal/cli/verb.ts'
import * as z from 'zod'

/** What a verb does that is named without the one below it. */
const DEFAULTS: Readonly<Record<string, DocumentName>> = {
  quarantine: 'quarantine list',
  runs: 'runs list',
  schema: 'schema plan',
  state: 'state show',
}

/** Fails where what a command has printed with `--json` is not one document as its verb declares it. */
export function assertDeclared(args: readonly string[], printed: string): void {
  if (!args.includes('--json') || printed === '') return
  const name = documentNamed(args)
  const { version, ...document } = JSON.parse(printed)
  assert.equal(version, DOCUMENT_VERSION)
  const schema = 'error' in document && name !== 'runs show' ? documents.error : name === null ? null : documents[name]
  const { error } = schema?.safeParse(document) ?? {}
  assert.equal(error && z.prettifyError(error), undefined, `${args.join(' ')} printed ${printed.slice(0, 4_000)}`)
}

function documentNamed(args: readonly string[]): DocumentName | null {
  const words = args.filter((argument) => !argument.startsWith('-'))
  const named = [`${words[0]} ${words[1]}`, words[0] ?? ''].find((name) => name in documents)
  return (named as DocumentName | undefined) ?? DEFAULTS[words[0] ?? ''] ?? null
}
