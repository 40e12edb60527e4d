import { defineProject } from 'dray-infra'
import { copied, loads } from './workflows.ts'

/** Loads of each kind that a pipeline has to ask for, and a copy of all tables, between two engines. */
export const project = defineProject({
  workflows: [loads, copied],
  environments: {
    // Its databases stand on the machine of the tests, without TLS.
    dev: {
      databases: {
        crm: { engine: 'postgres', secret: '/dray/dev/crm/url', tls: 'by-url' },
        shop: { engine: 'mysql', secret: '/dray/dev/shop/url', tls: 'by-url' },
        lake: { engine: 'postgres', secret: '/dray/dev/lake/url', tls: 'by-url' },
        mart: { engine: 'mysql', secret: '/dray/dev/mart/url', tls: 'by-url' },
        far: { engine: 'mysql', secret: '/dray/dev/far/url', tls: 'by-url' },
        near: { engine: 'postgres', secret: '/dray/dev/near/url', tls: 'by-url' },
      },
      notify: {
        webhook: { url: process.env.WEBHOOK_URL ?? 'https://messages.example.com', secret: '/dray/dev/webhook' },
      },
      expected: { loads: { successWithin: '3d' }, copied: { successWithin: '3d' } },
    },
  },
  databases: {
    crm: { embedded: 'postgres' },
    shop: { embedded: 'postgres' },
    lake: { embedded: 'postgres' },
    mart: { embedded: 'postgres' },
    far: { embedded: 'postgres' },
    near: { embedded: 'postgres' },
  },
  main: loads,
})
