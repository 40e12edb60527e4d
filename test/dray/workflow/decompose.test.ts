import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Decomposition, decompose, type Structure } from 'dray/internal/workflow/decompose.ts'
import { ancestorsOf, orderOf } from 'dray/internal/workflow/graph.ts'
import type { WorkflowStep } from 'dray/internal/workflow/workflow.ts'
import fc from 'fast-check'

/** Edges as `a>b`: b after a. Steps are named by single letters. */
function decomposed(names: string, edges: string): Decomposition {
  const steps = [...names].map((name): WorkflowStep => {
    const after = edges.split(' ').filter((edge) => edge.endsWith(`>${name}`))
    return { kind: 'pipeline', name, after: after.map((edge) => edge.charAt(0)) }
  })
  const order = orderOf('shape', steps)
  return decompose(order, ancestorsOf(steps, order))
}

/** Sequences as `a b`, parallel branches as `(a | b)`. */
function written(structure: Structure): string {
  if (structure.kind === 'step') return structure.name
  if (structure.kind === 'sequence') return structure.parts.map(written).join(' ')
  return `(${structure.branches.map(written).join(' | ')})`
}

const shapes: [name: string, steps: string, edges: string, structure: string][] = [
  ['a single step', 'a', '', 'a'],
  ['a chain', 'abc', 'a>b b>c', 'a b c'],
  ['a chain with a redundant edge', 'abc', 'a>b b>c a>c', 'a b c'],
  ['a fork', 'abc', 'a>b a>c', 'a (b | c)'],
  ['a join', 'abc', 'a>c b>c', '(a | b) c'],
  ['a diamond', 'abcd', 'a>b a>c b>d c>d', 'a (b | c) d'],
  ['two components', 'abcd', 'a>b c>d', '(a b | c d)'],
  ['branches within branches', 'abcdef', 'a>b a>c b>d c>d d>f e>f', '(a (b | c) d | e) f'],
  ['steps declared after those that need them', 'cba', 'a>b b>c', 'a b c'],
]
for (const [name, steps, edges, structure] of shapes) {
  test(`decomposes ${name} without a barrier`, () => {
    const found = decomposed(steps, edges)

    assert.equal(written(found.structure), structure)
    assert.deepEqual(found.notes, [])
  })
}

test('puts a barrier into an N, and says which step waits needlessly', () => {
  const found = decomposed('abcd', 'a>c a>d b>d')

  assert.equal(written(found.structure), '(a | b) (c | d)')
  assert.equal(found.notes.length, 1)
  assert.match(found.notes[0] ?? '', /between a, b and c, d, .*: c also waits for b\.$/)
})

test('cuts where the critical paths stay shortest and the fewest steps wait needlessly', () => {
  const found = decomposed('abcde', 'a>b b>c d>c d>e')

  assert.equal(written(found.structure), '(a b | d e) c')
  assert.match(found.notes.join(), /: c also waits for e\.$/)
})

test('keeps every step once and after its dependencies, for any DAG', () => {
  const dag = fc.array(fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }), { minLength: 1, maxLength: 9 })

  fc.assert(
    fc.property(dag, (rows) => {
      const names = 'abcdefghi'.slice(0, rows.length)
      const edges = rows.flatMap((row, to) =>
        [...names.slice(0, to)].filter((_, i) => row[i]).map((from) => `${from}>${names[to]}`),
      )
      const { structure } = decomposed(names, edges.join(' '))

      const ends = new Map<string, number>()
      const finish = walk(structure, 0, ends, edges)
      assert.deepEqual([...ends.keys()].sort(), [...names])
      assert.ok(finish <= names.length)
    }),
    { seed: 7, numRuns: 500 },
  )
})

/** Runs the structure with steps of length 1; every step must start at or after the end of its dependencies. */
function walk(structure: Structure, start: number, ends: Map<string, number>, edges: readonly string[]): number {
  if (structure.kind === 'sequence') return structure.parts.reduce((at, part) => walk(part, at, ends, edges), start)
  if (structure.kind === 'parallel') {
    // Branches must not see each other's ends: none of them may depend on another.
    const all = structure.branches.map((branch) => {
      const own = new Map(ends)
      return { end: walk(branch, start, own, edges), own }
    })
    for (const { own } of all) for (const [name, end] of own) ends.set(name, end)
    return Math.max(...all.map(({ end }) => end))
  }
  for (const edge of edges.filter((each) => each.endsWith(`>${structure.name}`))) {
    assert.ok((ends.get(edge.charAt(0)) ?? Number.POSITIVE_INFINITY) <= start, `${structure.name} starts too early`)
  }
  assert.ok(!ends.has(structure.name), `${structure.name} is there twice`)
  ends.set(structure.name, start + 1)
  return start + 1
}
