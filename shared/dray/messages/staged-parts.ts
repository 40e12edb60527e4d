/**
 * What the parts of a run are called, below its pipelines. No pipeline bears such a name: in a grant a `*` goes across
 * slashes, so that of a pipeline `plan` would hold the plans of all others.
 */
export const stagedParts = {
  plan: 'plan',
  items: 'items',
  extracted: 'extracted',
  transformed: 'transformed',
  present: 'present',
  loadedKeys: 'loaded-keys',
  refused: 'refused',
  gone: 'gone',
  newest: 'newest',
  gathered: 'gathered',
  kept: 'kept',
  keys: 'keys',
  replayed: 'replayed',
  open: 'open',
  passed: 'passed',
} as const
