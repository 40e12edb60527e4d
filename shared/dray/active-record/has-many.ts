import { definitionOf, onlyKeyOf, recordsByText } from './associated-records.ts'
import { type AssociatedRecord, Association } from './association.ts'
import { Relation } from './relation.ts'
import { columnOf } from './table-definition.ts'

/** The records whose foreign key names this record. */
export class HasMany<T extends AssociatedRecord> extends Association<T, readonly T[]> {
  /** As a relation, to narrow or order it. */
  // biome-ignore lint/suspicious/noExplicitAny: the other model's fields are its own business.
  get relation(): Relation<T, any> {
    const { model, foreignKey } = this.described
    const key = onlyKeyOf(definitionOf(this.owner))
    const text = this.owner.textOf(key.name)
    const value = text === null ? [] : columnOf(model.definition, foreignKey).field.settings.cast(text)
    return new Relation(model).where({ [foreignKey]: value } as never) as never
  }

  protected read(): Promise<readonly T[]> {
    return this.relation.toArray()
  }

  async loadAll(all: readonly this[]): Promise<void> {
    const { model, foreignKey } = this.described
    const key = onlyKeyOf(definitionOf(this.owner))
    const texts = all.map(({ owner }) => owner.textOf(key.name))
    const found = await recordsByText(model, foreignKey, texts)
    all.forEach((one, index) => {
      one.set(found.get(texts[index] ?? '') ?? [])
    })
  }
}
