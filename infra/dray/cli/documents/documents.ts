import type { Message } from 'dray/internal/messages/message.ts'
import * as pipelines from './pipelines.ts'
import * as project from './project.ts'
import * as quarantine from './quarantine.ts'
import * as runs from './runs.ts'
import * as tables from './tables.ts'

/** What each verb prints with `--json`, beside its `version`; docs/json.md shows them. */
export const documents = {
  add: project.add,
  backfill: runs.run,
  check: runs.checks,
  docs: project.docs,
  doctor: project.doctor,
  'import csv': tables.importCsv,
  'new ci': project.newCi,
  'new project': project.newProject,
  'new task': project.newFiles,
  'new workflow': project.newFiles,
  plan: pipelines.plan,
  preview: pipelines.preview,
  prove: project.prove,
  'quarantine discard': quarantine.quarantineDiscard,
  'quarantine findings': quarantine.quarantineFindings,
  'quarantine list': quarantine.quarantineList,
  'quarantine prune': quarantine.quarantinePrune,
  'quarantine replay': runs.run,
  'quarantine show': quarantine.quarantineShow,
  reconcile: pipelines.reconcile,
  resume: runs.run,
  run: runs.run,
  'runs list': runs.runsList,
  'runs logs': runs.runsLogs,
  'runs show': runs.runsShow,
  'runs stop': runs.runsStop,
  'runs watch': runs.run,
  'schema apply': tables.schemaApply,
  'schema plan': tables.schemaPlan,
  'schema pull': tables.schemaPull,
  services: project.services,
  'state reset': pipelines.stateReset,
  'state set': pipelines.stateSet,
  'state show': pipelines.stateShow,
  upgrade: project.upgrade,
  /** Of any verb that fails and has printed no other. */
  error: project.error,
} as const

export type DocumentName = keyof typeof documents
export type DocumentOf<Name extends DocumentName> = Message<(typeof documents)[Name]>
