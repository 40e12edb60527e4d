export { datasetOf, writtenDataset } from './datasets.ts'
export { type EventType, type LineageDataset, type RunEvent, runEvent } from './run-event.ts'
export { keptUrl, type LineageSettings, lineageSettings, sinkOf } from './settings.ts'
export type { LineageSink } from './sink.ts'
