import { onlyKeyOf, recordsByText } from './associated-records.ts'
import { type AssociatedRecord, Association } from './association.ts'
import { Relation } from './relation.ts'

/** The one record that a foreign key of this record names, or null. */
export class BelongsTo<T extends AssociatedRecord> extends Association<T, T | null> {
  protected async read(): Promise<T | null> {
    const { model, foreignKey } = this.described
    const text = this.owner.textOf(foreignKey)
    if (text === null) return null
    const key = onlyKeyOf(model.definition)
    return new Relation<T, never>(model).where({ [key.name]: key.field.settings.cast(text) } as never).first()
  }

  async loadAll(all: readonly this[]): Promise<void> {
    const { model, foreignKey } = this.described
    const key = onlyKeyOf(model.definition)
    const texts = all.map(({ owner }) => owner.textOf(foreignKey))
    const found = await recordsByText(model, key.name, texts)
    all.forEach((one, index) => {
      one.set(found.get(texts[index] ?? '')?.[0] ?? null)
    })
  }
}
