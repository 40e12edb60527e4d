import { defineProject } from 'dray-infra'
import { hourly } from './workflows/hourly.ts'

export const project = defineProject({
  workflows: [hourly],
  environments: {
    live: {
      databases: {
        meters: { engine: 'postgres', secret: '/metering/live/meters' },
        archive: { engine: 'mysql', secret: '/metering/live/archive' },
      },
      expected: { hourly: { successWithin: '3h' } },
    },
  },
  databases: { meters: { embedded: 'postgres' }, archive: { embedded: 'sqlite' } },
  main: hourly,
})
