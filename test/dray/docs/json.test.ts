import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { documents } from 'dray-infra/internal/cli/documents/documents.ts'
import { createProgram } from 'dray-infra/internal/cli/main.ts'
import * as z from 'zod'
import { readPage, root } from './page.ts'

const PAGE = 'docs/json.md'

test('docs/json.md has the document of each verb', () => {
  const text = readPage(PAGE)
  const [head = ''] = text.split(/^(?=## )/m)

  const current = head + sections().join('\n')

  if (process.env.UPDATE_DOCS === '1') writeFileSync(join(root, PAGE), current)
  else assert.equal(text, current, 'run this test with UPDATE_DOCS=1 and look at what has changed')
})

test('each verb that takes --json has a document', () => {
  const program = createProgram({ exitCode: 0, envFile: null })
  const verbs = program.commands.flatMap((verb) =>
    verb.commands.length === 0
      ? [{ name: verb.name(), verb }]
      : verb.commands.map((below) => ({ name: `${verb.name()} ${below.name()}`, verb: below })),
  )
  const taking = verbs.filter(({ verb }) => verb.options.some(({ long }) => long === '--json'))

  assert.deepEqual(
    taking
      .map(({ name }) => name)
      // It serves pages until it is interrupted.
      .filter((name) => name !== 'dev')
      .sort(),
    Object.keys(documents)
      .filter((name) => name !== 'error')
      .sort(),
  )
})

/** Verbs of one document are one section. */
function sections(): string[] {
  const verbs = Map.groupBy(Object.entries(documents), ([, schema]) => schema)
  return [...verbs].map(([schema, named]) => {
    const names = named.map(([name]) => name)
    const title = names[0] === 'error' ? 'What failed' : names.map((name) => `\`dray ${name}\``).join(', ')
    const shapes = z.toJSONSchema(schema) as Shape
    return `## ${title}\n\n${(shapes.anyOf ?? [shapes]).map(tableOf).join('\n')}`
  })
}

interface Shape {
  readonly type?: string | readonly string[] | undefined
  readonly description?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Shape[]
  readonly items?: Shape
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Shape | boolean
}

function tableOf(shape: Shape): string {
  const fields = [...Map.groupBy(fieldsOf(shape, ''), ([name]) => name)]
  const lines = fields.map(([name, all]) => {
    const [kind, said] = [1, 2].map((cell) => [...new Set(all.map((cells) => cells[cell]))].filter(Boolean))
    return `| ${name} | ${kind?.join(' or ')} | ${said?.join('; ')} |\n`
  })
  const head = shape.description === undefined ? '' : `${sentence(shape.description)}\n\n`
  return `${head}| field | is | |\n| --- | --- | --- |\n${lines.join('')}`
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase()}${text.slice(1)}:`
}

function fieldsOf({ properties = {}, required = [] }: Shape, place: string): string[][] {
  return Object.entries(properties).flatMap(([name, shape]) => {
    const where = `${place}${name}`
    const { inner, kind, below } = read(shape)
    const missing = required.includes(name) ? '' : ', or missing'
    const said = [...new Set([shape.description, inner.description].filter(Boolean))].join('; ')
    return [
      [`\`${where}\``, `${kind}${missing}`, said],
      ...below.flatMap((one) =>
        fieldsOf(one, `${where}${one.type === 'object' && inner.type === 'array' ? '[].' : '.'}`),
      ),
    ]
  })
}

/** What is in a field: its kind in words, and the objects in it. */
function read(shape: Shape): { inner: Shape; kind: string; below: readonly Shape[] } {
  const all = shape.anyOf ?? kinds(shape).map((type) => ({ ...shape, type }))
  const choices = all.filter(({ type }) => type !== 'null')
  const orNull = choices.length < all.length ? ', or null' : ''
  const [inner = shape] = choices
  const items = inner.items?.anyOf ?? (inner.items === undefined ? [] : [inner.items])
  const below = inner.type === 'array' ? items : choices
  const kind = [...new Set(choices.map(kindOf))].join(' or ')
  return { inner, kind: `${kind}${orNull}`, below: below.filter(({ properties }) => properties !== undefined) }
}

function kinds({ type, enum: values }: Shape): readonly (string | undefined)[] {
  return values === undefined && Array.isArray(type) ? type : [type as string | undefined]
}

function kindOf({ type, const: only, enum: values, items, properties, additionalProperties: others }: Shape): string {
  if (only !== undefined) return `\`${only}\``
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ')
  if (type === 'array') return `list of ${[...new Set((items?.anyOf ?? [items ?? {}]).map(kindOf))].join(' or ')}s`
  if (type === 'object')
    return properties !== undefined && Object.keys(properties).length > 0
      ? 'object'
      : typeof others === 'object' && Object.keys(others).length > 0
        ? `object of ${read(others).kind}`
        : 'object'
  if (type === 'integer') return 'number'
  return type === 'string' ? 'text' : String(type ?? 'anything')
}
