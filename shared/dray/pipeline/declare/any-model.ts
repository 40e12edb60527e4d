import type { ReadingStatics, WritingStatics } from '#dray/active-record/model.ts'
import type { ActiveRecord, SourceRecord } from '#dray/active-record/record.ts'

/** Any model that rows can be read from. */
// biome-ignore lint/suspicious/noExplicitAny: the fields are inferred where a pipeline is declared.
export type AnySource = (new () => SourceRecord) & ReadingStatics<any>

/** Any model that rows can be written to. */
// biome-ignore lint/suspicious/noExplicitAny: the fields are inferred where a pipeline is declared.
export type AnyTarget = (new (attributes?: any) => ActiveRecord) & ReadingStatics<any> & WritingStatics<any>

export type AnyModel = AnySource | AnyTarget
