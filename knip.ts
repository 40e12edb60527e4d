import type { KnipConfig } from 'knip'
import { framework, packages } from './infra/dray/knip.ts'

const config: KnipConfig = {
  workspaces: {
    '.': {
      entry: ['infra/project.ts', 'functions/*/*.ts', '{functions,infra,shared,test}/**/*.test.ts', ...framework.entry],
      project: ['{functions,infra,shared,test}/**/*.ts', '!{shared,infra}/dray/**', ...framework.project],
      ignore: framework.ignore,
      ignoreDependencies: framework.ignoreDependencies,
      ignoreBinaries: framework.ignoreBinaries,
    },
    ...packages,
  },
  ignoreExportsUsedInFile: true,
  exclude: ['types'],
}

export default config
