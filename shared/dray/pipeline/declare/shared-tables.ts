import type { WrittenTable } from '#dray/messages/written-table.ts'

type Claim = Pick<WrittenTable, 'alone' | 'where'>

/** Whether two pipelines of one table get into each other's way. */
export function areInTheWay(one: Claim, other: Claim): boolean {
  return (one.alone ?? other.alone) !== null && !areApart(one.where, other.where)
}

/** Whether no row can be of both, however the target compares texts. */
function areApart(one: WrittenTable['where'], other: WrittenTable['where']): boolean {
  return (one ?? []).some(({ column, texts }) => {
    const same = (other ?? []).find((values) => values.column === column)
    const folded = new Set(texts.map(fold))
    return same !== undefined && !same.texts.some((text) => folded.has(fold(text)))
  })
}

/** What a collation may take for the same. */
function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().trimEnd()
}

const CLAIM = /^(.*?)(?: where (\[.*\]))?$/s

/** As the target's fence keeps it; a version of before takes any text for a reason to be alone. */
export function claimText({ alone, where }: Claim): string | null {
  return !where ? alone : `${alone ?? ''} where ${JSON.stringify(where)}`
}

export function claimOf(text: string | null): Claim {
  if (text === null) return { alone: null, where: null }
  const [, alone = '', where] = CLAIM.exec(text) ?? []
  return { alone: alone === '' ? null : alone, where: where === undefined ? null : JSON.parse(where) }
}
