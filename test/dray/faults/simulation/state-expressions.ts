import type { Item } from 'dray/internal/state/attributes.ts'
import type { Placeholders } from 'dray/internal/state/item-table.ts'
import { readCondition } from 'dray/internal/state/local/condition.ts'
import { readUpdate } from 'dray/internal/state/local/update-expression.ts'

/** DynamoDB's expressions, as the local state evaluates them: random requests are held against dynalite. */
export function holds(text: string | undefined, item: Item, given: Placeholders): boolean {
  return text === undefined || readCondition(text).meaning(item, given)
}

export function updated(text: string | undefined, item: Item, given: Placeholders): Item {
  return text === undefined ? item : readUpdate(text).meaning(item, given)
}
