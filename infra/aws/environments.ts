import { type Environment, type EnvironmentOptions, environmentOf } from './environment.ts'

/** Where Dray is deployed: `npx dray deploy dev`. The fields and their defaults are in environment.ts. */
const settings: Record<string, EnvironmentOptions> = {
  dev: {
    databases: {
      crm: { engine: 'mysql', secret: '/dray/dev/crm/url' },
      sales: { engine: 'postgres', secret: '/dray/dev/sales/url' },
      warehouse: { engine: 'postgres', secret: '/dray/dev/warehouse/url' },
    },
    retention: { staged: 7, logs: 14 },
    expected: { 'daily-data-warehouse-update': { successWithin: '3d' } },
    tags: { application: 'dray', environment: 'dev' },
  },
  prod: {
    databases: {
      crm: { engine: 'mysql', secret: '/dray/prod/crm/url' },
      sales: { engine: 'postgres', secret: '/dray/prod/sales/url' },
      warehouse: { engine: 'postgres', secret: '/dray/prod/warehouse/url' },
    },
    retention: { staged: 30, logs: 90 },
    expected: { 'daily-data-warehouse-update': { successWithin: '26h' } },
    tags: { application: 'dray', environment: 'prod' },
  },
}

/** Every environment, checked. Throws `Configuration` when one is not valid. */
export function environments(): readonly Environment[] {
  return Object.entries(settings).map(([name, options]) => environmentOf(name, options))
}
