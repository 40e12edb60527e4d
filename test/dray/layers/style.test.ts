import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root, sourceFiles } from './imports.ts'

const WIDTH = 120

/** Literals that are written by hand where a builder makes them: `staging/keys.ts` and `state/keys.ts`. */
const KEYS =
  /^(?! *(?:\*|\/\/|\/\*)).*['"`](?:(?:PIPELINE|WORKFLOW|RUN|STEP|PART|LINEAGE)#|(?:runs|quarantine|quarantine-log|findings)\/)/
const PHRASES = /\b(?:is|are) told\b|\bof (?:its|their) own\b|\bgoes? on with\b/
/** Names of conditions, which read as sentences: `leaseOwned`. */
const NAMED_CONDITIONS = 'shared/dray/state/conditions.ts'

interface Line {
  readonly at: string
  readonly text: string
}

function lines(within: (file: string) => boolean): readonly Line[] {
  return sourceFiles()
    .filter(within)
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .map((text, index) => ({ at: `${file}:${index + 1}`, text })),
    )
}

const isShipped = (file: string) => /^(shared|infra|functions)\/dray\//.test(file)
const isOurs = (file: string) => file.split('/').includes('dray')

function places(among: readonly Line[], pattern: RegExp): string[] {
  assert.ok(among.length > 1_000)
  return among.filter(({ text }) => pattern.test(text)).map(({ at }) => at)
}

describe('the style', () => {
  test(`keeps comments within ${WIDTH} columns`, () => {
    const comment = new RegExp(`^(?=.{${WIDTH + 1}}) *(?:\\*|//(?! biome-ignore)|/\\*)`)

    assert.deepEqual(places(lines(isOurs), comment), [])
  })

  test('writes a constant of a number, a text or a pattern in capitals', () => {
    const shipped = lines((file) => isShipped(file) && file !== NAMED_CONDITIONS)

    assert.deepEqual(
      places(shipped, /^(?:export )?const [a-z]\w*(?:: [^=]+)? = (?:-?\d[\d_]*|'[^']*'|\/[^/*].*\/\w*)$/),
      [],
    )
  })

  test('has each key made by its builder', () => {
    const outside = lines((file) => isShipped(file) && !/\/(?:staging|state)\/keys\.ts$/.test(file))

    assert.deepEqual(places(outside, KEYS), [])
  })

  test('says what is done by whom', () => {
    assert.deepEqual(places(lines(isShipped), PHRASES), [])
  })
})
