import { run, workflow } from 'dray/workflow'
import { defineProject } from 'dray-infra'
import { orders } from '../functions/orders/pipeline.ts'
import { environments } from './environments.ts'

/** Nothing but `dray prove` starts it. */
const prove = workflow('prove', {
  steps: [run(orders)],
})

/** What `dray prove` deploys, runs and takes down again. */
export const project = defineProject({
  workflows: [prove],
  environments,
  databases: { 'prove-source': { embedded: 'postgres' }, 'prove-target': { embedded: 'postgres' } },
  main: prove,
})
