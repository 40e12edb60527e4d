/** What `infra/project.ts` is written with. */

export {
  type DemoContext,
  defineProject,
  type EmbeddedEngine,
  type Project,
  type ProjectDatabase,
  type ProjectOptions,
} from './project/define-project.ts'
export type { EnvironmentOptions } from './project/environment.ts'
