import { readFileSync } from 'node:fs'
import { QUOTED, withoutComments } from '#dray/active-record/sql-comments.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { SqlExpression } from './sql-expression.ts'

/** What stands in quotes, or a name of a value. */
const TOKENS = new RegExp(`${QUOTED.source}|\\{\\{\\s*(\\w+)\\s*\\}\\}`, 'g')

/**
 * The SQL of a file beside the module, with `{{name}}` for each of the values; comments and a `;` at its end are left
 * out. A bundle has the file's text in it, for which the first two arguments are written as they are here.
 *
 * @example
 * task('customer-totals', sqlFile('./customer-totals.sql', import.meta.url, { order: TargetOrder }), { into: … })
 */
export function sqlFile(path: string, module: string, values: Readonly<Record<string, unknown>> = {}): SqlExpression {
  const text = withoutComments(textOf(path, module))
  const code = ['']
  const named: string[] = []
  let from = 0
  const add = (piece: string) => {
    code[code.length - 1] += piece
  }
  for (const { 0: token, 1: name, index } of text.matchAll(TOKENS)) {
    add(text.slice(from, index))
    from = index + token.length
    if (name !== undefined) {
      named.push(name)
      code.push('')
    } else add(token)
  }
  add(text.slice(from))
  code[code.length - 1] = (code.at(-1) ?? '').replace(/;\s*$/, '')
  const missing = named.find((name) => values[name] === undefined)
  const unused = Object.keys(values).find((name) => !named.includes(name))
  if (missing !== undefined) {
    throw new ConfigurationError(`${path} names {{${missing}}}, which is not given; give it: { ${missing}: … }`)
  }
  if (unused !== undefined) {
    throw new ConfigurationError(`${path} has no {{${unused}}}, which is given; name it there, or leave it out`)
  }
  return { code, values: named.map((name) => values[name]) }
}

function textOf(path: string, module: string): string {
  if (module.startsWith(INLINED)) return decodeURIComponent(module.slice(INLINED.length))
  try {
    return readFileSync(new URL(path, module), 'utf8')
  } catch (error) {
    throw new ConfigurationError(
      `there is no file ${path} beside ${module}, or it cannot be read: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

/** What a bundle gives in place of the module's address. */
const INLINED = 'data:text/plain,'
