/** What an upgrade replaces whole: folders and files that are the framework's. */
export const frameworkParts = [
  'shared/dray',
  'infra/dray',
  'functions/dray',
  'test/dray',
  'docs',
  '.ci',
  'LICENSE',
  'SECURITY.md',
  'llms.txt',
] as const

/**
 * Files at the project's root that both owners write: each version of the framework keeps what it wants of them in
 * `infra/dray/upgrade/template`, and an upgrade brings over what has changed there since the version that is installed.
 */
export const mergedFiles = ['package.json', 'tsconfig.json', 'cdk.json', 'biome.json'] as const

/** The same, where a part cannot be told from another: replaced where the user has left the file as it was. */
export const comparedFiles = ['knip.ts', '.npmrc', '.gitignore'] as const

/** Under other names than the files have, so that no tool takes them for its own. */
export function templateOf(file: string): string {
  return `infra/dray/upgrade/template/${file.replace(/^\./, '')}.template`
}
