import { defineProject } from 'dray-infra'
import { environments } from './environments.ts'
import { dailyDataWarehouseUpdate } from './workflows/daily-data-warehouse-update.ts'

export const project = defineProject({
  workflows: [dailyDataWarehouseUpdate],
  environments,
  databases: {
    crm: { embedded: 'sqlite' },
    sales: { embedded: 'postgres' },
    warehouse: { embedded: 'postgres' },
  },
  main: dailyDataWarehouseUpdate,
  demo: async (context) => (await import('./demo/prepare-demo.ts')).prepareDemo(context),
})
