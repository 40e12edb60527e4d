import type { EnvironmentOptions } from 'dray-infra'

/** Where the project is deployed: `npx dray deploy dev`. docs/deploy.md tells the fields and their defaults. */
export const environments: Record<string, EnvironmentOptions> = {
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
