import { loadProject } from '#dray-infra/project/load-project.ts'
import { catalogueOf } from './catalogue.ts'
import type { CatalogueDocument } from './documents.ts'

/** What is asked of the user's files, as they were when the thread first looked. */
export type Question = { readonly kind: 'catalogue' }

export interface Answers {
  readonly catalogue: CatalogueDocument
}

export async function answer(question: Question): Promise<Answers[Question['kind']]> {
  switch (question.kind) {
    case 'catalogue':
      return catalogueOf(await loadProject())
  }
}
