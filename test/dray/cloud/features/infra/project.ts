import { defineProject } from 'dray-infra'
import { copies, everything, wide } from './workflows.ts'

/** A project that needs every grant: ways to write and to delete, distributed partitions, a replica, lineage. */
export const project = defineProject({
  workflows: [everything, wide, copies],
  environments: {
    // Its databases stand on the machine of the tests, without TLS.
    dev: {
      databases: {
        shop: { engine: 'postgres', secret: '/dray/dev/shop/url', tls: 'by-url' },
        lake: { engine: 'postgres', secret: '/dray/dev/lake/url', tls: 'by-url' },
        music: { engine: 'postgres', secret: '/dray/dev/music/url', tls: 'by-url' },
      },
      lineage: { url: process.env.LINEAGE_URL ?? 'https://lineage.example.com', apiKeySecret: '/dray/dev/lineage' },
      notify: {
        slack: { secret: '/dray/dev/slack' },
        webhook: { url: process.env.WEBHOOK_URL ?? 'https://messages.example.com', secret: '/dray/dev/webhook' },
      },
      expected: { everything: { successWithin: '3d' }, wide: { successWithin: '3d' }, copies: { successWithin: '3d' } },
    },
  },
  databases: { shop: { embedded: 'postgres' }, lake: { embedded: 'postgres' }, music: { embedded: 'postgres' } },
  main: everything,
})
