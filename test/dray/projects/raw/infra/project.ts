import { defineProject } from 'dray-infra'
import { raw } from './workflows/raw.ts'

export const project = defineProject({
  workflows: [raw],
  environments: {},
  databases: { sales: { embedded: 'postgres' }, warehouse: { embedded: 'postgres' } },
  main: raw,
})
