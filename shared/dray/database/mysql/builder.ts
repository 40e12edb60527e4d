import { DummyDriver, Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler } from 'kysely'
import { checkName } from './names.ts'

class Compiler extends MysqlQueryCompiler {
  protected override sanitizeIdentifier(identifier: string): string {
    return super.sanitizeIdentifier(checkName(identifier))
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the tables are known by the models, not by Kysely.
export function mysqlBuilder(): Kysely<any> {
  return new Kysely({
    dialect: {
      createAdapter: () => new MysqlAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new MysqlIntrospector(db),
      createQueryCompiler: () => new Compiler(),
    },
  })
}
