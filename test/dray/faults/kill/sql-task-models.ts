import type { Database } from 'dray/internal/active-record/database.ts'
import { bigint, decimal, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { AnyModel } from 'dray/internal/pipeline/declare/any-model.ts'
import { landed } from 'dray/internal/pipeline/declare/landed-rows.ts'
import { sql } from 'dray/internal/pipeline/declare/sql-expression.ts'
import { type SqlTask, task } from 'dray/internal/pipeline/declare/task.ts'

/** By the version of the last change: rounds bring a new one, and change the last rows of an old one. */
export const VERSION = 'right(label, 3)'
/** A change of every fourth row changes every fourth of these. */
export const SHELF = 'source_id % 40'

/** Tasks that read what the pipeline has landed: one reads all rows, the other what has landed since it ran. */
export function tasksOn(target: Database, products: AnyModel): readonly SqlTask[] {
  const totals = { products: bigint(), amount: decimal(30, 4) }
  class OfVersion extends target.table('of_version', { version: varchar(10).primaryKey(), ...totals }) {}
  class OfShelf extends target.table('of_shelf', { shelf: bigint().primaryKey(), ...totals }) {}
  const [version, shelf] = [part(VERSION), part(SHELF)]
  return [
    task(
      'of-version',
      sql`select ${version} as version, count(*) as products, sum(amount) as amount from ${products} group by ${version}`,
      { into: OfVersion, by: 'version', deletes: { hard: true, most: 1 } },
    ),
    task(
      'of-shelf',
      sql`select ${shelf} as shelf, count(*) as products, sum(amount) as amount from ${products}
        where ${shelf} in (select ${shelf} from ${products} where ${landed(products)}) group by ${shelf}`,
      { into: OfShelf, by: 'shelf' },
    ),
  ]
}

/** SQL as it is. */
function part(code: string) {
  return { code: [code], values: [] }
}
